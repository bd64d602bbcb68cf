import { CopyOutlined } from "@ant-design/icons";
import { App as AntApp, Button } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Panel } from "../shared/panel.tsx";
import { verifyLines } from "./verify-lines.ts";

const steps = ["unpack", "files", "signature", "timestamp", "everything"] as const;

/** For whoever gets the bag: without a terminal, and with one. */
export function HowToVerify(bag: { readonly name: string; readonly sha256: string }): ReactNode {
  const { t } = useTranslation();
  const lines = verifyLines(bag);
  return (
    <Panel title={t("exports.howTo")} name="how-to-verify">
      <p>{t("exports.trustNobody")}</p>
      <h3>{t("exports.byBrowser")}</h3>
      <ol>
        <li>{t("exports.browser.unpack", { name: bag.name })}</li>
        <li>{t("exports.browser.open")}</li>
        <li>{t("exports.browser.drop")}</li>
      </ol>
      <h3>{t("exports.byTerminal")}</h3>
      <ol>
        {steps.map((step) => (
          <li key={step}>
            {t(`exports.step.${step}`)}
            <Lines lines={lines[step]} />
          </li>
        ))}
      </ol>
      <p className="quiet">{t("exports.moreInside")}</p>
    </Panel>
  );
}

function Lines({ lines }: { lines: readonly string[] }): ReactNode {
  const { t } = useTranslation();
  const { message } = AntApp.useApp();
  const text = lines.join("\n");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      void message.success(t("clip.copied"));
    } catch {
      // Without TLS there is no clipboard: then it is marked and copied by hand.
      void message.info(t("exports.copyByHand"));
    }
  };
  return (
    <div className="lines">
      <pre>
        <code>{text}</code>
      </pre>
      <Button
        size="small"
        type="text"
        icon={<CopyOutlined />}
        aria-label={t("clip.copy")}
        onClick={() => void copy()}
      />
    </div>
  );
}
