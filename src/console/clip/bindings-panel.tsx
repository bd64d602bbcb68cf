import { useMutation } from "@tanstack/react-query";
import { App as AntApp, Button, Form } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, asked } from "../api/client.ts";
import type { ClipDetail } from "../api/types.ts";
import { mayBind, useSignedIn } from "../session.ts";
import { AnnotationFields } from "../shared/annotation-fields.tsx";
import { useSuggestions } from "../shared/annotations.ts";
import { BindingFacts, groupedBindings } from "../shared/binding-facts.tsx";
import { CaseLink } from "../shared/case-link.tsx";
import { Dialog } from "../shared/dialog.tsx";
import { Panel } from "../shared/panel.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";

interface Given {
  readonly clip: ClipDetail;
  readonly onBound: () => void;
}

export function BindingsPanel({ clip, onBound }: Given): ReactNode {
  const { t } = useTranslation();
  const { role } = useSignedIn();
  const [open, setOpen] = useState(false);
  const bindings = groupedBindings(clip.bindings);
  return (
    <Panel
      title={t("binding.title")}
      name="bindings-panel"
      extra={
        mayBind(role) && (
          <Button type={bindings.length === 0 ? "primary" : "default"} onClick={() => setOpen(true)}>
            {t("binding.bind")}
          </Button>
        )
      }
    >
      {bindings.length === 0 && <span className="quiet">{t("binding.none")}</span>}
      {bindings.map((revisions) => (
        <BindingFacts
          key={revisions[0]?.id}
          revisions={revisions}
          head={(current) => <CaseLink id={current.caseId} />}
        />
      ))}
      {open && <BindDialog clip={clip} onClose={() => setOpen(false)} onBound={onBound} />}
    </Panel>
  );
}

interface Wanted {
  readonly caseId: string;
  readonly evidencePurpose: string;
  readonly capturedAt: string;
  readonly capturePlace: string;
  readonly collectorNumber: string;
  readonly stage?: string;
}

/** The five annotations; what the clip says of itself is filled in. */
function BindDialog({ clip, onClose, onBound }: Given & { onClose: () => void }): ReactNode {
  const { t } = useTranslation();
  const { message } = AntApp.useApp();
  const [form] = Form.useForm<Wanted>();
  const before = useSuggestions(Form.useWatch("caseId", form));
  const bind = useMutation({
    mutationFn: ({ caseId, stage, ...rest }: Wanted) =>
      asked(
        api.POST("/api/v1/cases/{id}/bindings", {
          params: { path: { id: caseId } },
          body: { clipId: clip.id, ...rest, ...(stage ? { stage } : {}) },
        }),
      ),
    onSuccess: () => {
      onBound();
      onClose();
      void message.success(t("binding.done"));
    },
  });
  return (
    <Dialog
      title={t("binding.bind")}
      okText={t("binding.save")}
      cancelText={t("cases.cancel")}
      confirmLoading={bind.isPending}
      onOk={() => form.submit()}
      onCancel={onClose}
    >
      <Form
        form={form}
        layout="vertical"
        requiredMark={false}
        onFinish={(wanted) => bind.mutate(wanted)}
        initialValues={{
          evidencePurpose: clip.evidencePurpose ?? "",
          capturedAt: clip.capturedAtRaw,
          capturePlace: clip.placeText ?? "",
          collectorNumber: clip.collectorNumber,
          stage: clip.stage ?? "",
        }}
      >
        <p className="quiet">{t("binding.filledIn")}</p>
        <AnnotationFields before={before} />
        {bind.error !== null && <ProblemNotice error={bind.error} />}
      </Form>
    </Dialog>
  );
}
