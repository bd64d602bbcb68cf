import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Form, Input } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { api, asked } from "../api/client.ts";
import { Dialog } from "../shared/dialog.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";

/** Opens a case, and leads to it. @param number as it was searched for. */
export function CreateCaseDialog({ number, onClose }: { number: string; onClose: () => void }): ReactNode {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [, go] = useLocation();
  const [form] = Form.useForm<{ number: string; title?: string }>();
  const create = useMutation({
    mutationFn: (wanted: { number: string; title?: string }) => {
      const title = wanted.title?.trim();
      return asked(api.POST("/api/v1/cases", { body: { number: wanted.number.trim(), ...(title ? { title } : {}) } }));
    },
    onSuccess: (file) => {
      void client.invalidateQueries({ queryKey: ["cases"] });
      void client.invalidateQueries({ queryKey: ["overview"] });
      go(`/cases/${file.id}`);
    },
  });
  return (
    <Dialog
      title={t("cases.create")}
      okText={t("cases.save")}
      cancelText={t("cases.cancel")}
      confirmLoading={create.isPending}
      onOk={() => form.submit()}
      onCancel={onClose}
    >
      <Form form={form} layout="vertical" initialValues={{ number }} onFinish={(wanted) => create.mutate(wanted)}>
        <Form.Item
          name="number"
          label={t("cases.number")}
          rules={[{ required: true, whitespace: true, message: t("cases.numberNeeded") }]}
        >
          <Input maxLength={100} autoFocus />
        </Form.Item>
        <Form.Item name="title" label={t("cases.caseTitle")}>
          <Input maxLength={200} />
        </Form.Item>
        {create.error !== null && <ProblemNotice error={create.error} />}
      </Form>
    </Dialog>
  );
}
