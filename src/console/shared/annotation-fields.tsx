import { AutoComplete, Form, Input } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { needed, offered, type useSuggestions } from "./annotations.ts";
import { CaseSelect } from "./case-select.tsx";

/**
 * The five annotations of a binding and its stage, as fields of a form: `caseId`, `evidencePurpose`, `capturedAt`,
 * `capturePlace`, `collectorNumber`, `stage`. @param before what is offered for those that are said in words.
 */
export function AnnotationFields({ before }: { readonly before: ReturnType<typeof useSuggestions> }): ReactNode {
  const { t } = useTranslation();
  return (
    <>
      <Form.Item name="caseId" label={t("binding.case")} rules={[{ required: true, message: t("binding.caseNeeded") }]}>
        <CaseSelect />
      </Form.Item>
      <Form.Item name="evidencePurpose" label={t("binding.purpose")} rules={needed(t("binding.purposeNeeded"))}>
        <AutoComplete {...offered(before?.evidencePurposes)} maxLength={1000} />
      </Form.Item>
      <div className="two-columns">
        <Form.Item name="capturedAt" label={t("binding.capturedAt")} rules={needed(t("binding.capturedAt"))}>
          <Input maxLength={64} />
        </Form.Item>
        <Form.Item name="capturePlace" label={t("binding.place")} rules={needed(t("binding.placeNeeded"))}>
          <Input maxLength={500} />
        </Form.Item>
        <Form.Item name="collectorNumber" label={t("binding.collector")} rules={needed(t("binding.collector"))}>
          <Input maxLength={64} />
        </Form.Item>
        <Form.Item name="stage" label={t("tray.stage")}>
          <AutoComplete {...offered(before?.stages)} maxLength={100} />
        </Form.Item>
      </div>
    </>
  );
}
