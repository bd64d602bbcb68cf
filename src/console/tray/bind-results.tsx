import { Alert, Button, Progress, Tag } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { CaseFile, Clip } from "../api/types.ts";
import { CaseLink } from "../shared/case-link.tsx";
import { ClipPicture } from "../shared/clip-tags.tsx";
import type { Outcome } from "./bind-many.ts";

interface Given {
  readonly clips: readonly Clip[];
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly failures: ReadonlyMap<string, string>;
  readonly file: CaseFile;
  readonly running: boolean;
  readonly onAgain: () => void;
  readonly onClose: () => void;
}

const colors = { waiting: "default", bound: "success", already: "processing", failed: "error" } as const;

/** What came of each clip; what failed first. */
export function BindResults({ clips, outcomes, failures, file, running, onAgain, onClose }: Given): ReactNode {
  const { t } = useTranslation();
  const count = (state: Outcome["state"]): number => [...outcomes.values()].filter((one) => one.state === state).length;
  const already = count("already");
  const done = clips.length - count("waiting");
  const sorted = clips.toSorted((a, b) => Number(failures.has(b.id)) - Number(failures.has(a.id)));
  return (
    <div className="bind-results" data-step={running ? "running" : "over"}>
      {running ? (
        <Progress percent={Math.floor((done / clips.length) * 100)} />
      ) : (
        <Alert
          showIcon
          type={failures.size > 0 ? "warning" : "success"}
          title={
            <>
              {t("tray.boundTo", { count: count("bound") })} <Link href={`/cases/${file.id}`}>{file.number}</Link>
              {already > 0 && t("tray.alreadyCount", { count: already })}
              {failures.size > 0 && t("tray.failedCount", { count: failures.size })}
            </>
          }
          description={failures.size > 0 && t("tray.failedStay")}
        />
      )}
      <ul className="bind-clips">
        {sorted.map((clip) => {
          const outcome = outcomes.get(clip.id) ?? { state: "waiting" as const };
          return (
            <li key={clip.id} data-outcome={outcome.state}>
              <ClipPicture clip={clip} />
              <span>
                <span className="clip-name" title={clip.fileName}>
                  {clip.fileName}
                </span>
                {outcome.state === "failed" ? (
                  <span className="bad">
                    {failures.get(clip.id)} {outcome.otherCaseId !== "" && <CaseLink id={outcome.otherCaseId} />}
                  </span>
                ) : (
                  <span className="quiet">{clip.capturedAtRaw}</span>
                )}
              </span>
              <Tag color={colors[outcome.state]}>{t(`tray.outcome.${outcome.state}`)}</Tag>
            </li>
          );
        })}
      </ul>
      {!running && (
        <div className="dialog-end">
          {failures.size > 0 && <Button onClick={onAgain}>{t("tray.again", { count: failures.size })}</Button>}
          <Button type="primary" autoFocus onClick={onClose}>
            {t("tray.done")}
          </Button>
        </div>
      )}
    </div>
  );
}
