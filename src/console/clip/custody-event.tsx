import { DownloadOutlined, FileProtectOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Button } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, asked } from "../api/client.ts";
import { Problem } from "../api/problem.ts";
import type { CustodyLine } from "../api/types.ts";
import { shanghaiTime } from "../format.ts";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { Facts } from "./facts-panel.tsx";

interface Given {
  readonly clipId: string;
  readonly line: CustodyLine;
}

/** One event as it was recorded, its place in the log, and what proves it. */
export function CustodyEvent({ clipId, line }: Given): ReactNode {
  const { t } = useTranslation();
  const [wanted, setWanted] = useState(false);
  return (
    <div className="chain-event">
      <Facts
        facts={[
          [t("chain.custody.at"), `${shanghaiTime(line.at)} (UTC ${line.at})`],
          [
            t("chain.custody.place"),
            line.index === null ? t("chain.custody.waiting") : t("chain.custody.entry", { index: line.index }),
          ],
          [
            t("chain.custody.actor"),
            <>
              {line.actorName ?? ""} <span className="digest quiet">{line.actor}</span>
            </>,
          ],
          [t("chain.custody.type"), <code key="type">{line.type}</code>],
          [t("chain.custody.event"), <code key="id">{line.id}</code>],
        ]}
      />
      <h4>{t("chain.custody.details")}</h4>
      <code className="custody-details">{JSON.stringify(line.details, null, 1)}</code>
      <p className="quiet">{t("chain.custody.detailsHint")}</p>
      {line.index !== null && !wanted && (
        <Button size="small" icon={<FileProtectOutlined />} onClick={() => setWanted(true)}>
          {t("chain.custody.proof")}
        </Button>
      )}
      {wanted && <Proof clipId={clipId} eventId={line.id} index={line.index} />}
    </div>
  );
}

function Proof({ clipId, eventId, index }: { clipId: string; eventId: string; index: number | null }): ReactNode {
  const { t } = useTranslation();
  const path = { id: clipId, eventId };
  const { data, error, refetch } = useQuery({
    queryKey: ["proof", clipId, eventId],
    queryFn: () => asked(api.GET("/api/v1/clips/{id}/custody/{eventId}/proof", { params: { path } })),
    // Once proven, it stays so.
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (error instanceof Problem && error.code === "not-found") {
    return (
      <p className="quiet">
        {t("chain.custody.proofWaiting")}{" "}
        <Button size="small" onClick={() => void refetch()}>
          {t("problem.retry")}
        </Button>
      </p>
    );
  }
  if (error !== null) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return null;
  return (
    <div data-proof={eventId}>
      <h4>{t("chain.custody.leaf")}</h4>
      <code className="custody-details">{textOf(data.entry)}</code>
      <h4>{t("chain.custody.tlog")}</h4>
      <code className="custody-details">{data.proof}</code>
      <p className="quiet">{t("chain.custody.proofHint")}</p>
      <Button
        size="small"
        icon={<DownloadOutlined />}
        href={`/api/v1/clips/${clipId}/custody/${eventId}/proof`}
        download={`proof-${index ?? eventId}.json`}
      >
        {t("chain.custody.download")}
      </Button>
    </div>
  );
}

function textOf(base64: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
}
