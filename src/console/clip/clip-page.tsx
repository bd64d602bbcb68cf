import { ArrowLeftOutlined } from "@ant-design/icons";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, Spin } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, asked } from "../api/client.ts";
import type { ClipDetail } from "../api/types.ts";
import { ExportButton } from "../exports/export-button.tsx";
import { ClipMarks, StateTag } from "../shared/clip-tags.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { BindingsPanel } from "./bindings-panel.tsx";
import { CustodyPanel } from "./custody-panel.tsx";
import { quarantineWords } from "./custody-sentences.ts";
import { DerivativesPanel } from "./derivatives-panel.tsx";
import { DigestsPanel, FactsPanel } from "./facts-panel.tsx";
import { VerifyPanel } from "./verify-panel.tsx";
import { Viewing } from "./viewing.tsx";

/** Until everything is done that workers do with a clip, the page looks again. */
const stillWorking = (clip: ClipDetail | undefined): boolean => clip !== undefined && clip.pending.length > 0;

export default function ClipPage({ id }: { id: string }): ReactNode {
  const { t } = useTranslation();
  const client = useQueryClient();
  const { data: clip, error } = useQuery({
    queryKey: ["clip", id],
    queryFn: () => asked(api.GET("/api/v1/clips/{id}", { params: { path: { id } } })),
    // The player stays while the next clip of a recording takes its place.
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (stillWorking(state.data) ? 3_000 : false),
  });
  if (error !== null) {
    return (
      <div className="page">
        <ProblemNotice error={error} />
      </div>
    );
  }
  if (clip === undefined) return <Spin className="waiting" />;
  const changed = (): void => {
    void client.invalidateQueries({ queryKey: ["clip", id] });
    void client.invalidateQueries({ queryKey: ["custody", id] });
    void client.invalidateQueries({ queryKey: ["clips"] });
    void client.invalidateQueries({ queryKey: ["cases"] });
  };
  return (
    <div className="page">
      <div className="page-head clip-head">
        <Link href="/clips" aria-label={t("clip.back")} title={t("clip.back")}>
          <ArrowLeftOutlined />
        </Link>
        <h1>{clip.fileName}</h1>
        <StateTag state={clip.state} />
        <ClipMarks clip={clip} />
        <span className="page-head-end">
          <ExportButton of={{ clipId: clip.id }} disabled={clip.state !== "sealed"} />
        </span>
      </div>
      {clip.state === "quarantined" && (
        <Alert
          type="error"
          showIcon
          title={t("clip.quarantined", { reason: quarantineWords(clip.quarantineReason ?? "", t) })}
        />
      )}
      <div className="clip-columns">
        <div className="clip-column">
          <Viewing clip={clip} onViewed={() => void client.invalidateQueries({ queryKey: ["custody", clip.id] })} />
          <VerifyPanel key={clip.id} clip={clip} onVerified={changed} />
          <DerivativesPanel key={`${clip.id} derivatives`} clip={clip} />
        </div>
        <div className="clip-column" key={clip.id}>
          <FactsPanel clip={clip} />
          <BindingsPanel clip={clip} onBound={changed} />
          <CustodyPanel clipId={clip.id} />
          <DigestsPanel clip={clip} />
        </div>
      </div>
    </div>
  );
}
