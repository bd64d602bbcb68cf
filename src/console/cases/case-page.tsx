import { ArrowLeftOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Spin } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { ExportButton } from "../exports/export-button.tsx";
import { ExportsPanel } from "../exports/exports-panel.tsx";
import { shanghaiTime } from "../format.ts";
import { caseQuery } from "../shared/case-query.ts";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { contentsOf } from "./contents.ts";
import { Documents } from "./documents.tsx";
import { Footage } from "./footage.tsx";
import { FormerBindings } from "./former-bindings.tsx";

/** A case: its footage by time of capture, its documents beside it, what was withdrawn, and what was exported. */
export default function CasePage({ id }: { id: string }): ReactNode {
  const { t } = useTranslation();
  const { data: file, error } = useQuery(caseQuery(id));
  if (error !== null) {
    return (
      <div className="page">
        <ProblemNotice error={error} />
      </div>
    );
  }
  if (file === undefined) return <Spin className="waiting" />;
  const { footage, documents, former } = contentsOf(file);
  const places = [...new Set([...footage, ...documents].flatMap(({ revisions: [now] }) => now?.capturePlace ?? []))];
  return (
    <div className="page">
      <div className="page-head">
        <Link href="/cases" aria-label={t("casework.back")} title={t("casework.back")}>
          <ArrowLeftOutlined />
        </Link>
        <h1>{file.number}</h1>
        <span>{file.title}</span>
        <span className="quiet">
          {t("cases.created")} {shanghaiTime(file.createdAt)}
        </span>
        <span className="page-head-end">
          <ExportButton of={{ caseId: file.id }} disabled={file.clips.length === 0} />
        </span>
      </div>
      <div className="case-columns">
        <div className="clip-column">
          <Footage entries={footage} />
          {former.length > 0 && <FormerBindings caseId={file.id} former={former} />}
        </div>
        <div className="clip-column">
          <Documents caseId={file.id} entries={documents} places={places} />
          <ExportsPanel caseId={file.id} />
        </div>
      </div>
    </div>
  );
}
