import { ArrowLeftOutlined, DownloadOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Alert, Button, Progress, Spin } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, asked } from "../api/client.ts";
import type { ExportJob } from "../api/types.ts";
import { shanghaiTime, sizeText } from "../format.ts";
import { CaseLink } from "../shared/case-link.tsx";
import { Panel } from "../shared/panel.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { ExportTag } from "./exports-panel.tsx";
import { HowToVerify } from "./how-to-verify.tsx";

/** How far an export is, and when it is done what it holds, how to get it and how to check it. */
export default function ExportPage({ id }: { id: string }): ReactNode {
  const { t } = useTranslation();
  const { data: job, error } = useQuery({
    queryKey: ["exports", id],
    queryFn: () => asked(api.GET("/api/v1/exports/{id}", { params: { path: { id } } })),
    refetchInterval: ({ state }) => (state.data?.finishedAt === null ? 1_000 : false),
  });
  if (error !== null) {
    return (
      <div className="page">
        <ProblemNotice error={error} />
      </div>
    );
  }
  if (job === undefined) return <Spin className="waiting" />;
  const { caseId, clipId } = job;
  const back = caseId === null ? `/clips/${clipId}` : `/cases/${caseId}`;
  return (
    <div className="page export-page">
      <div className="page-head">
        <Link href={back} aria-label={t("exports.back")} title={t("exports.back")}>
          <ArrowLeftOutlined />
        </Link>
        <h1>{caseId === null ? t("exports.clipTitle") : t("exports.caseTitle")}</h1>
        {caseId === null ? <Link href={back}>{clipId}</Link> : <CaseLink id={caseId} />}
        <ExportTag job={job} />
      </div>
      {job.state === "failed" && <Failed job={job} />}
      {job.finishedAt === null && <Running job={job} />}
      {job.state === "done" && <Done job={job} />}
    </div>
  );
}

function Running({ job: { files, bytes, problem } }: { job: ExportJob }): ReactNode {
  const { t } = useTranslation();
  const percent = bytes.total === null || bytes.total === 0 ? 0 : Math.floor((bytes.done / bytes.total) * 100);
  return (
    <Panel title={t("exports.progress")} name="export-progress">
      <Progress percent={Math.min(99, percent)} status="active" aria-label={t("exports.progress")} />
      <div className="quiet" role="status">
        {files.total === null || bytes.total === null
          ? t("exports.waiting")
          : t("exports.soFar", {
              ...{ done: files.done, total: files.total },
              ...{ bytes: sizeText(bytes.done), all: sizeText(bytes.total) },
            })}
      </div>
      {problem !== null && <Alert type="warning" showIcon title={t("exports.lastTry")} description={problem.detail} />}
      <p className="quiet">{t("exports.mayLeave")}</p>
    </Panel>
  );
}

function Failed({ job: { problem } }: { job: ExportJob }): ReactNode {
  const { t } = useTranslation();
  return (
    <Alert
      type="error"
      showIcon
      title={t("exports.failed")}
      description={
        <>
          <div>{t("exports.failedAdvice")}</div>
          {problem !== null && (
            <div className="quiet">
              {problem.title} {problem.detail}
            </div>
          )}
        </>
      }
    />
  );
}

const contents = ["originals", "records", "playable", "receipts", "custody", "list", "keys"] as const;

function Done({ job }: { job: ExportJob }): ReactNode {
  const { t } = useTranslation();
  const { id, name, sizeBytes, sha256, tagManifestSha256, removedAt } = job;
  if (name === null || sizeBytes === null || sha256 === null) return null;
  return (
    <>
      {removedAt !== null && (
        <Alert type="warning" showIcon title={t("exports.removed", { time: shanghaiTime(removedAt) })} />
      )}
      <div className="export-columns">
        <Panel
          title={t("exports.bag")}
          name="export-bag"
          extra={
            removedAt === null && (
              <Button type="primary" icon={<DownloadOutlined />} href={`/api/v1/exports/${id}/bag`} download={name}>
                {t("exports.download", { size: sizeText(sizeBytes) })}
              </Button>
            )
          }
        >
          <dl className="facts">
            <dt>{t("exports.name")}</dt>
            <dd>{name}</dd>
            <dt>{t("exports.size")}</dt>
            <dd>
              {sizeText(sizeBytes)} <span className="quiet">{t("exports.bytes", { count: sizeBytes })}</span>
            </dd>
            <dt>{t("exports.holdsFiles")}</dt>
            <dd>{t("exports.files", { count: job.files.total ?? 0, size: sizeText(job.bytes.total ?? 0) })}</dd>
            <dt>{t("exports.by")}</dt>
            <dd>
              {job.requestedBy.name} <span className="quiet">{shanghaiTime(job.requestedAt)}</span>
            </dd>
            <dt>{t("exports.finished")}</dt>
            <dd>{shanghaiTime(job.finishedAt)}</dd>
            <dt>SHA-256</dt>
            <dd className="digest">{sha256}</dd>
            <dt>{t("exports.tagManifest")}</dt>
            <dd className="digest">{tagManifestSha256}</dd>
          </dl>
          <p className="quiet">{t("exports.fetchNoted")}</p>
          <h3>{t("exports.contents")}</h3>
          <dl className="facts">
            {contents.flatMap((what) => [
              <dt key={what}>{t(`exports.holds.${what}.name`)}</dt>,
              <dd key={`${what} is`}>{t(`exports.holds.${what}.is`)}</dd>,
            ])}
          </dl>
        </Panel>
        <HowToVerify {...{ name, sha256 }} />
      </div>
    </>
  );
}
