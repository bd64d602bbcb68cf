import { useMutation } from "@tanstack/react-query";
import { Alert, Form, Input } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { api, asked } from "../api/client.ts";
import type { Binding } from "../api/types.ts";
import { AnnotationFields } from "./annotation-fields.tsx";
import { needed, useSuggestions } from "./annotations.ts";
import { bindingsChanged } from "./bindings-changed.ts";
import { Dialog } from "./dialog.tsx";
import { ProblemNotice } from "./problem-notice.tsx";
import { changesOf } from "./revision-changes.ts";

interface Given {
  readonly binding: Binding;
  readonly onClose: () => void;
}

type Correction = Partial<
  Pick<
    Binding,
    "caseId" | "evidencePurpose" | "capturedAt" | "capturePlace" | "collectorNumber" | "stage" | "withdrawn"
  >
> & { readonly reason: string };

/** Adds a revision to the one that was seen; when somebody else did so first, it is refused. */
function useCorrection({ binding, onClose }: Given) {
  return useMutation({
    mutationFn: (body: Correction) =>
      asked(
        api.PATCH("/api/v1/bindings/{id}", {
          params: { path: { id: binding.id } },
          headers: { "if-match": `"${binding.revision}"` },
          body,
        }),
      ),
    onSuccess: onClose,
    // After a refusal too: what somebody else changed is to be seen.
    onSettled: bindingsChanged,
  });
}

interface Said {
  readonly caseId: string;
  readonly evidencePurpose: string;
  readonly capturedAt: string;
  readonly capturePlace: string;
  readonly collectorNumber: string;
  readonly stage: string;
  readonly reason: string;
}

export function CorrectDialog({ binding, onClose }: Given): ReactNode {
  const { t } = useTranslation();
  const [form] = Form.useForm<Said>();
  const correct = useCorrection({ binding, onClose });
  const before = useSuggestions(binding.caseId);
  const said = Form.useWatch([], form) as Said | undefined;
  const changes = said === undefined ? [] : changesOf(binding, { ...binding, ...asSaid(said) });
  return (
    <Dialog
      width={640}
      title={t("correct.title")}
      okText={t("correct.save")}
      cancelText={t("cases.cancel")}
      okButtonProps={{ disabled: changes.length === 0 }}
      confirmLoading={correct.isPending}
      onOk={() => form.submit()}
      onCancel={onClose}
    >
      <p className="quiet">{t("correct.kept")}</p>
      <Form
        form={form}
        layout="vertical"
        requiredMark={false}
        initialValues={{ ...binding, stage: binding.stage ?? "", reason: "" }}
        onFinish={(wanted) => {
          const changed = changesOf(binding, { ...binding, ...asSaid(wanted) }).map(({ field, to }) => [field, to]);
          correct.mutate({ ...Object.fromEntries(changed), reason: wanted.reason.trim() });
        }}
      >
        <AnnotationFields before={before} />
        <Form.Item name="reason" label={t("correct.reason")} rules={needed(t("correct.reasonNeeded"))}>
          <Input maxLength={500} autoFocus />
        </Form.Item>
        {correct.error !== null && <ProblemNotice error={correct.error} />}
      </Form>
    </Dialog>
  );
}

/** As the API has it: texts without spaces around them, and no stage instead of an empty one. */
function asSaid({ reason: _reason, stage, ...texts }: Said): Omit<Said, "reason" | "stage"> & { stage: string | null } {
  const trimmed = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, `${text ?? ""}`.trim()]));
  return { ...(trimmed as typeof texts), stage: stage?.trim() || null };
}

/** Takes a binding back, or brings one that was taken back again. */
export function WithdrawDialog({ binding, onClose }: Given): ReactNode {
  const { t } = useTranslation();
  const [form] = Form.useForm<{ reason: string }>();
  const correct = useCorrection({ binding, onClose });
  const back = binding.withdrawn;
  return (
    <Dialog
      title={back ? t("correct.restoreTitle") : t("correct.withdrawTitle")}
      okText={back ? t("correct.restore") : t("correct.withdraw")}
      cancelText={t("cases.cancel")}
      okButtonProps={{ danger: !back }}
      confirmLoading={correct.isPending}
      onOk={() => form.submit()}
      onCancel={onClose}
    >
      {!back && <Alert type="info" showIcon title={t("correct.withdrawNote")} />}
      <Form
        form={form}
        layout="vertical"
        className="withdraw"
        requiredMark={false}
        onFinish={({ reason }) => correct.mutate({ withdrawn: !back, reason: reason.trim() })}
      >
        <Form.Item name="reason" label={t("correct.reason")} rules={needed(t("correct.reasonNeeded"))}>
          <Input maxLength={500} autoFocus />
        </Form.Item>
        {correct.error !== null && <ProblemNotice error={correct.error} />}
      </Form>
    </Dialog>
  );
}
