import { useQuery } from "@tanstack/react-query";
import { Tag } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, asked } from "../api/client.ts";
import type { ExportJob } from "../api/types.ts";
import { shanghaiTime, sizeText } from "../format.ts";
import { Panel } from "../shared/panel.tsx";

const colors = { pending: "default", running: "processing", done: "success", failed: "error" } as const;

export function ExportTag({ job }: { job: ExportJob }): ReactNode {
  const { t } = useTranslation();
  const state = job.removedAt === null ? job.state : "removed";
  return (
    <Tag color={state === "removed" ? "default" : colors[state]} data-export={state}>
      {t(`exports.state.${state}`)}
    </Tag>
  );
}

/** The exports of a case so far, newest first. */
export function ExportsPanel({ caseId }: { caseId: string }): ReactNode {
  const { t } = useTranslation();
  const { data } = useQuery({
    queryKey: ["exports", "of", caseId],
    queryFn: () => asked(api.GET("/api/v1/cases/{id}/exports", { params: { path: { id: caseId } } })),
    refetchInterval: ({ state }) => (state.data?.items.some((job) => job.finishedAt === null) ? 2_000 : false),
  });
  if (data === undefined || data.items.length === 0) return null;
  return (
    <Panel title={t("exports.earlier")} name="exports-panel">
      <ul className="export-list">
        {data.items.map((job) => (
          <li key={job.id}>
            <Link href={`/exports/${job.id}`}>{shanghaiTime(job.requestedAt)}</Link>
            <span>{job.requestedBy.name}</span>
            <span className="quiet">{job.sizeBytes === null ? "" : sizeText(job.sizeBytes)}</span>
            <ExportTag job={job} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}
