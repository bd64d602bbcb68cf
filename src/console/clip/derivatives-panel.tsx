import { CopyOutlined } from "@ant-design/icons";
import { App as AntApp, Button } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { ClipDetail, Derivative } from "../api/types.ts";
import { durationText, shanghaiTime, sizeText } from "../format.ts";
import { Panel } from "../shared/panel.tsx";
import { Facts } from "./facts-panel.tsx";

/** What was made of the original, and how: enough for somebody else to make it again. */
export function DerivativesPanel({ clip }: { clip: ClipDetail }): ReactNode {
  const { t } = useTranslation();
  return (
    <Panel title={t("clip.derivatives")} name="derivatives-panel">
      {clip.derivatives.length === 0 ? (
        <span className="quiet">{t("chain.derivatives.none")}</span>
      ) : (
        <>
          <p className="quiet">{t("chain.derivatives.note")}</p>
          {clip.derivatives.map((made) => (
            <One key={`${made.role} ${made.revision}`} made={made} />
          ))}
        </>
      )}
    </Panel>
  );
}

interface MadeFacts {
  readonly width?: number;
  readonly height?: number;
  readonly durationSeconds?: number;
}

function One({ made }: { made: Derivative }): ReactNode {
  const { t } = useTranslation();
  const { width, height, durationSeconds } = (made.facts ?? {}) as MadeFacts;
  const what = [
    made.mediaType,
    ...(width !== undefined && height !== undefined ? [t("chain.derivatives.pixels", { width, height })] : []),
    ...(durationSeconds === undefined ? [] : [durationText(durationSeconds)]),
    sizeText(made.sizeBytes),
    `${made.tool} ${versionIn(made.toolVersion)}`,
  ];
  const confinement = made.sandboxLevel;
  const digest = (text: string): ReactNode => <span className="digest">{text}</span>;
  return (
    <details className="derivative" data-role={made.role}>
      <summary>
        <b>{t(`clip.derivative.${made.role}`)}</b>
        <span className="quiet">{what.join(" · ")}</span>
      </summary>
      <Facts
        facts={[
          ["SHA-256", digest(made.sha256)],
          [t("chain.derivatives.ofOriginal"), digest(made.originalSha256)],
          [t("chain.derivatives.made"), shanghaiTime(made.createdAt)],
          ...(made.revision > 1
            ? [[t("chain.derivatives.revision"), t("chain.derivatives.remade", { revision: made.revision })] as const]
            : []),
          [t("chain.derivatives.tool"), digest(made.toolVersion)],
          [
            t("chain.derivatives.confinement"),
            confinement === "bubblewrap" || confinement === "limits"
              ? t(`chain.derivatives.${confinement}`)
              : confinement,
          ],
        ]}
      />
      <Command made={made} />
    </details>
  );
}

function Command({ made }: { made: Derivative }): ReactNode {
  const { t } = useTranslation();
  const { message } = AntApp.useApp();
  const words = Array.isArray(made.arguments) ? made.arguments.map(String) : [];
  const line = [made.tool, ...words].map(quoted).join(" ");
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(line);
    void message.success(t("clip.copied"));
  };
  return (
    <>
      <div className="derivative-command">
        <h3>
          {t("chain.derivatives.command")} <span className="quiet">{t("chain.derivatives.commandHint")}</span>
        </h3>
        {navigator.clipboard !== undefined && (
          <Button size="small" type="text" icon={<CopyOutlined />} onClick={() => void copy()}>
            {t("chain.derivatives.copy")}
          </Button>
        )}
      </div>
      <code className="custody-details">{line}</code>
    </>
  );
}

/** As a shell reads it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** `5.1.9` of the line that a program says of itself; it stands whole among the facts. */
function versionIn(line: string): string {
  return /\bversion ([^\s-]+)/.exec(line)?.[1] ?? line;
}
