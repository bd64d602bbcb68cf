import {
  CheckCircleFilled,
  CloseCircleFilled,
  InboxOutlined,
  InfoCircleFilled,
  SafetyCertificateOutlined,
} from "@ant-design/icons";
import { useMutation } from "@tanstack/react-query";
import { Alert, Button, Divider, Progress } from "antd";
import type { TFunction } from "i18next";
import { type DragEvent, type ReactNode, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ClipDetail } from "../api/types.ts";
import { Panel } from "../shared/panel.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { zh } from "../words/zh.ts";
import { fetchReceipt } from "./receipt.ts";
import { ServerVerification } from "./server-verification.tsx";
import type { Found, OwnCheck } from "./verify-here.ts";

interface Given {
  readonly clip: ClipDetail;
  readonly onVerified: () => void;
}

export function VerifyPanel({ clip, onVerified }: Given): ReactNode {
  const { t } = useTranslation();
  return (
    <Panel title={t("verify.title")} name="verify-panel">
      <ServerVerification clip={clip} onVerified={onVerified} />
      <Divider />
      <InTheBrowser clip={clip} />
    </Panel>
  );
}

/** The checks of `dockseal verify`, in this browser: what the server says of itself counts for nothing here. */
function InTheBrowser({ clip }: { clip: ClipDetail }): ReactNode {
  const { t } = useTranslation();
  const [found, setFound] = useState<Found>();
  const [reading, setReading] = useState<{ name: string; percent: number }>();
  const [over, setOver] = useState(false);
  const check = useRef<Promise<OwnCheck>>(undefined);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();

  const run = useMutation({
    mutationFn: async (files: readonly File[] | "fetch") => {
      // The code of the checks is loaded when somebody wants it.
      check.current ??= import("./verify-here.ts").then(({ OwnCheck }) => new OwnCheck(clip.id));
      const own = await check.current;
      if (files === "fetch") own.takeReceipt(await fetchReceipt(clip.id));
      else await own.takeFiles(files, (name, percent) => setReading({ name, percent }));
      return own.judge();
    },
    onSuccess: setFound,
    onError: () => {
      // What could not be loaded is loaded anew the next time.
      if (found === undefined) check.current = undefined;
    },
    onSettled: () => setReading(undefined),
  });
  const take = (list: FileList | null): void => {
    if (list !== null && list.length > 0) run.mutate([...list]);
  };
  const drag = (yes: boolean) => (event: DragEvent) => {
    event.preventDefault();
    setOver(yes);
  };
  const again = (): void => {
    check.current = undefined;
    setFound(undefined);
    run.reset();
  };
  return (
    <div className="verify-self">
      <div className="verify-line">
        <span className="quiet">{t("verify.selfHint")}</span>
        <Button icon={<SafetyCertificateOutlined />} loading={run.isPending} onClick={() => run.mutate("fetch")}>
          {t("verify.fetch")}
        </Button>
      </div>
      <label
        htmlFor={id}
        className={over ? "drop over" : "drop"}
        onDragOver={drag(true)}
        onDragLeave={drag(false)}
        onDrop={(event) => {
          drag(false)(event);
          take(event.dataTransfer.files);
        }}
      >
        <InboxOutlined aria-hidden /> {t("verify.drop")}
        <input
          id={id}
          ref={input}
          type="file"
          multiple
          onChange={({ target }) => {
            take(target.files);
            target.value = "";
          }}
        />
      </label>
      <div role="status">
        {run.isPending && <span className="quiet">{reading ? t("verify.reading", reading) : t("verify.running")}</span>}
        {reading && <Progress percent={reading.percent} showInfo={false} size="small" />}
        {run.error !== null && <ProblemNotice error={run.error} />}
        {found !== undefined && !run.isPending && <Verdict found={found} />}
      </div>
      {found !== undefined && (
        <Button type="link" onClick={again}>
          {t("verify.again")}
        </Button>
      )}
    </div>
  );
}

function Verdict({ found }: { found: Found }): ReactNode {
  const { t, i18n } = useTranslation();
  const language = i18n.language === "en" ? "en" : "zh";
  const signs = {
    passed: <CheckCircleFilled className="good" />,
    failed: <CloseCircleFilled className="bad" />,
    "not-checked": <InfoCircleFilled className="open" />,
  };
  const wordOf = { failed: "bad", "not-checked": "quiet" } as const;
  return (
    <>
      {found.documents.map((document) => (
        <div key={document.name} className="verdict" data-verdict={document.ok ? "passed" : "failed"}>
          <Alert
            type={document.ok ? "success" : "error"}
            showIcon
            title={`${t("verify.document", { name: document.name })} ${document.ofServer ? t("verify.fromServer") : ""} ${t(document.ok ? "verify.passed" : "verify.failed")}`}
            description={
              <>
                <div>
                  {t(!document.ok ? "verify.bad" : document.withFile ? "verify.allGood" : "verify.receiptGood")}
                </div>
                {document.otherClip && <div>{t("verify.otherClip", { name: document.name })}</div>}
                {document.ok && !found.trusted && <div className="quiet">{t("verify.noTrust")}</div>}
              </>
            }
          />
          <ul className="checks">
            {document.checks.map((check) => (
              <li key={check.name} data-check={check.name} data-status={check.status}>
                {signs[check.status]}
                <span>
                  {check.words[language]}
                  <span className={check.status === "passed" ? "visually-hidden" : wordOf[check.status]}>
                    {" · "}
                    {t(`verify.${check.status}`)}
                  </span>
                  {check.status === "failed" && <span className="bad why-failed">{whyFailed(check.name, t)}</span>}
                  {(check.status === "failed" || (language === "en" && check.status !== "passed")) && (
                    <small className="quiet">{check.detail}</small>
                  )}
                </span>
              </li>
            ))}
          </ul>
        </div>
      ))}
      {found.strays.map((name) => (
        <Alert key={name} type="error" showIcon title={t("verify.stray", { name })} data-verdict="failed" />
      ))}
    </>
  );
}

type Failed = keyof typeof zh.chain.failed;

function whyFailed(name: string, t: TFunction): string {
  return name in zh.chain.failed ? t(`chain.failed.${name as Failed}`) : "";
}
