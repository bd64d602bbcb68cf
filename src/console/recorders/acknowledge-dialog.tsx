import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Form, Input } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { api, asked } from "../api/client.ts";
import type { Finding } from "../api/types.ts";
import { Dialog } from "../shared/dialog.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { sentenceOf } from "./finding-sentence.ts";

/** Asks why a finding may stand. */
export function AcknowledgeDialog({ finding, onClose }: { finding: Finding; onClose: () => void }): ReactNode {
  const { t } = useTranslation();
  const { message } = AntApp.useApp();
  const client = useQueryClient();
  const [form] = Form.useForm<{ reason: string }>();
  const say = useMutation({
    mutationFn: ({ reason }: { reason: string }) =>
      asked(
        api.POST("/api/v1/findings/{id}/acknowledge", {
          params: { path: { id: finding.id } },
          body: { reason: reason.trim() },
        }),
      ),
    onSuccess: () => {
      for (const what of ["findings", "overview", "recorder"]) void client.invalidateQueries({ queryKey: [what] });
      void message.success(t("findings.done"));
      onClose();
    },
  });
  return (
    <Dialog
      title={t("findings.acknowledgeTitle")}
      okText={t("findings.save")}
      cancelText={t("findings.cancel")}
      confirmLoading={say.isPending}
      onOk={() => form.submit()}
      onCancel={onClose}
    >
      <p>
        {finding.recorderSerial}: {sentenceOf(finding, t)}
      </p>
      <Form form={form} layout="vertical" onFinish={(said) => say.mutate(said)}>
        <Form.Item
          name="reason"
          label={t("findings.reason")}
          rules={[{ required: true, whitespace: true, message: t("findings.reasonNeeded") }]}
          extra={t("findings.acknowledgeNote")}
        >
          <Input maxLength={1000} autoFocus />
        </Form.Item>
        {say.error !== null && <ProblemNotice error={say.error} />}
      </Form>
    </Dialog>
  );
}
