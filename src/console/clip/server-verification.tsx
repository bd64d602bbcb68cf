import { useMutation } from "@tanstack/react-query";
import { Alert, Button, Progress } from "antd";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ClipDetail } from "../api/types.ts";
import { sizeText } from "../format.ts";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { type VerificationProgress, verifyOnServer } from "./verify-on-server.ts";

interface Given {
  readonly clip: ClipDetail;
  readonly onVerified: () => void;
}

/** The server reads and hashes again what is stored; whoever waits sees how far it is, and may end it. */
export function ServerVerification({ clip, onVerified }: Given): ReactNode {
  const { t } = useTranslation();
  const [progress, setProgress] = useState<VerificationProgress>();
  const running = useRef<AbortController>(undefined);
  // Who leaves the page wants no answer any more.
  useEffect(() => () => running.current?.abort(), []);
  const check = useMutation({
    mutationFn: () => {
      const controller = new AbortController();
      running.current = controller;
      setProgress(undefined);
      return verifyOnServer(clip.id, { signal: controller.signal, onProgress: setProgress });
    },
    onSettled: onVerified,
  });
  const { data, error } = check;
  const cancelled = error !== null && running.current?.signal.aborted === true;
  const outcome =
    data && (data.intact ? "intact" : data.repaired ? "repaired" : data.found === null ? "missing" : "damaged");
  return (
    <div className="verify-server">
      <div className="verify-line">
        <span className="quiet">{t("verify.serverHint")}</span>
        {check.isPending ? (
          <Button onClick={() => running.current?.abort()}>{t("chain.verify.cancel")}</Button>
        ) : (
          <Button onClick={() => check.mutate()}>{t("verify.server")}</Button>
        )}
      </div>
      {check.isPending && <Running clip={clip} progress={progress} />}
      <div role="status">
        {cancelled && <span className="quiet">{t("chain.verify.cancelled")}</span>}
        {error !== null && !cancelled && <ProblemNotice error={error} />}
        {data && outcome && (
          <Alert
            type={outcome === "intact" ? "success" : outcome === "repaired" ? "warning" : "error"}
            showIcon
            title={t(`verify.${outcome}`)}
            data-outcome={outcome}
            description={
              <div className="digest">
                {t("verify.expected")} SHA-256 {data.expected.sha256}
                <br />
                {t("verify.found")} SHA-256 {data.found?.sha256 ?? "–"}
              </div>
            }
          />
        )}
      </div>
    </div>
  );
}

function Running({ clip, progress }: { clip: ClipDetail; progress: VerificationProgress | undefined }): ReactNode {
  const { t } = useTranslation();
  const { bytesRead, bytesTotal, look } = progress ?? { bytesRead: 0, bytesTotal: clip.sizeBytes, look: 1 };
  const percent = bytesTotal === 0 ? 0 : Math.floor((bytesRead / bytesTotal) * 100);
  const done = { read: sizeText(bytesRead), total: sizeText(bytesTotal) };
  return (
    <div className="verify-running">
      <Progress percent={percent} size="small" aria-label={t("verify.server")} status="active" />
      <span className="quiet" data-look={look}>
        {t(look === 2 ? "chain.verify.secondLook" : "chain.verify.running", done)}
      </span>
    </div>
  );
}
