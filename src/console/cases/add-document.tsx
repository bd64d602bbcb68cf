import { UploadOutlined } from "@ant-design/icons";
import { useMutation } from "@tanstack/react-query";
import { App as AntApp, AutoComplete, Form, Input } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { shanghaiTime, sizeText } from "../format.ts";
import { useSignedIn } from "../session.ts";
import { needed, offered, useSuggestions } from "../shared/annotations.ts";
import { bindingsChanged } from "../shared/bindings-changed.ts";
import { Dialog } from "../shared/dialog.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import type { SaidOfDocument } from "./send-document.ts";

interface Given {
  readonly caseId: string;
  /** Places that are named in the case already. */
  readonly places: readonly string[];
  readonly onClose: () => void;
}

/** Adds a document to the case, with the five annotations. */
export function AddDocumentDialog({ caseId, places, onClose }: Given): ReactNode {
  const { t } = useTranslation();
  const { message } = AntApp.useApp();
  const { displayName } = useSignedIn();
  const [form] = Form.useForm<SaidOfDocument & { file: File }>();
  const [percent, setPercent] = useState<number>();
  const before = useSuggestions(caseId);
  const add = useMutation({
    mutationFn: async ({ file, ...said }: SaidOfDocument & { file: File }) => {
      setPercent(0);
      // Digests come with the code of verification, which is loaded when it is needed.
      const { sendDocument } = await import("./send-document.ts");
      return sendDocument(caseId, file, said, setPercent);
    },
    onSuccess: (created) => {
      void message.success(created ? t("casework.added") : t("casework.addedBefore"));
      bindingsChanged();
      onClose();
    },
    onSettled: () => setPercent(undefined),
  });
  return (
    <Dialog
      width={640}
      title={t("casework.addTitle")}
      okText={t("casework.add")}
      cancelText={t("cases.cancel")}
      confirmLoading={add.isPending}
      mask={{ closable: false }}
      closable={!add.isPending}
      cancelButtonProps={{ disabled: add.isPending }}
      onOk={() => form.submit()}
      onCancel={onClose}
    >
      <p className="quiet">{t("casework.addNote")}</p>
      <Form
        form={form}
        layout="vertical"
        requiredMark={false}
        disabled={add.isPending}
        initialValues={{ capturedAt: shanghaiTime(Date.now()), collectorNumber: displayName, place: places[0] ?? "" }}
        onFinish={(said) => add.mutate(said)}
      >
        <Form.Item name="file" rules={[{ required: true, message: t("casework.fileNeeded") }]}>
          <FileField />
        </Form.Item>
        <Form.Item name="evidencePurpose" label={t("binding.purpose")} rules={needed(t("binding.purposeNeeded"))}>
          <AutoComplete {...offered(before?.evidencePurposes)} maxLength={1000} />
        </Form.Item>
        <div className="two-columns">
          <Form.Item name="capturedAt" label={t("casework.made")} rules={needed(t("casework.made"))}>
            <Input maxLength={64} />
          </Form.Item>
          <Form.Item name="place" label={t("binding.place")} rules={needed(t("binding.placeNeeded"))}>
            <AutoComplete {...offered(places)} maxLength={500} />
          </Form.Item>
          <Form.Item name="collectorNumber" label={t("casework.maker")} rules={needed(t("casework.maker"))}>
            <Input maxLength={64} />
          </Form.Item>
          <Form.Item name="stage" label={t("tray.stage")}>
            <AutoComplete {...offered(before?.stages)} maxLength={100} />
          </Form.Item>
        </div>
        {percent !== undefined && (
          <p className="quiet" role="status">
            {percent < 100 ? t("casework.hashing", { percent }) : t("casework.sending")}
          </p>
        )}
        {add.error !== null && <ProblemNotice error={add.error} />}
      </Form>
    </Dialog>
  );
}

/** A file that is chosen or dropped. */
function FileField({ id, onChange }: { id?: string; onChange?: (file: File) => void }): ReactNode {
  const { t } = useTranslation();
  const [file, setFile] = useState<File>();
  const [over, setOver] = useState(false);
  const take = (files: FileList | null): void => {
    const chosen = files?.[0];
    if (chosen === undefined) return;
    setFile(chosen);
    onChange?.(chosen);
  };
  return (
    <label
      className={over ? "drop over" : "drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer.files);
      }}
    >
      <input id={id} type="file" onChange={({ target }) => take(target.files)} />
      <UploadOutlined aria-hidden />{" "}
      {file === undefined ? t("casework.choose") : `${file.name} · ${sizeText(file.size)}`}
    </label>
  );
}
