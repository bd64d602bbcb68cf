import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button, Progress, Spin, Tag } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { api, asked } from "../api/client.ts";
import type { AuditRun } from "../api/types.ts";
import { Facts } from "../clip/facts-panel.tsx";
import { shanghaiTime } from "../format.ts";
import { Ago } from "../shared/ago.tsx";
import { InEnglish } from "../shared/in-english.tsx";
import { Panel } from "../shared/panel.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import type { AuditorFigures } from "./auditor-home.tsx";
import { numberText } from "./figures.tsx";

const shownRuns = 6;
const isOpen = ({ state }: AuditRun): boolean => state === "running" || state === "waiting";

/** What is read again and compared, how far that is, and what came of it. */
export function FixityPanel({ figures }: { figures: AuditorFigures["fixity"] }): ReactNode {
  const { t } = useTranslation();
  const { message } = AntApp.useApp();
  const client = useQueryClient();
  const { data, error } = useQuery({
    queryKey: ["audits"],
    queryFn: () => asked(api.GET("/api/v1/audits", { params: { query: { limit: shownRuns } } })),
    refetchInterval: ({ state }) => (state.data?.items.some(({ state }) => state === "running") ? 3_000 : 30_000),
  });
  const start = useMutation({
    mutationFn: () => asked(api.POST("/api/v1/audits", { body: {} })),
    onSuccess: () => {
      void message.success(t("home.started"));
      return client.invalidateQueries({ queryKey: ["audits"] });
    },
  });
  return (
    <Panel
      title={t("home.fixity")}
      name="fixity-panel"
      extra={
        <Button title={t("home.startNote")} loading={start.isPending} onClick={() => start.mutate()}>
          {t("home.start")}
        </Button>
      }
    >
      {start.error !== null && <ProblemNotice error={start.error} />}
      <Facts
        facts={[
          [
            t("home.oldestCheck"),
            figures.oldestCheckAt === null ? (
              t("home.noSealed")
            ) : (
              <>
                {shanghaiTime(figures.oldestCheckAt)}{" "}
                <span className="quiet">
                  <Ago at={figures.oldestCheckAt} />
                </span>
              </>
            ),
          ],
          [t("home.faults"), <Faults key="faults" faults={figures.faults} />],
          [t("home.repairs"), numberText(figures.repairs)],
          [t("home.waitingSamples"), numberText(figures.waitingSamples)],
        ]}
      />
      {error !== null && <ProblemNotice error={error} />}
      {data === undefined && error === null && <Spin />}
      {data?.items.length === 0 && <p className="quiet">{t("home.noRuns")}</p>}
      {data !== undefined && data.items.length > 0 && (
        <table className="plain-table small-table runs">
          <thead>
            <tr>
              <th scope="col">{t("home.run")}</th>
              <th scope="col">{t("home.runStarted")}</th>
              <th scope="col">{t("home.runResult")}</th>
            </tr>
          </thead>
          <tbody>
            {data.items.map((run) => (
              <tr key={run.id} data-run={run.kind} data-state={run.state}>
                <td>{t(`home.runKind.${run.kind}`)}</td>
                <td>{shanghaiTime(run.startedAt ?? run.createdAt)}</td>
                <td>
                  <Result run={run} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

const outcomes = ["repaired", "damaged", "missing", "unlocked", "unreadable"] as const;

function Faults({ faults }: { faults: Readonly<Record<string, number>> }): ReactNode {
  const { t } = useTranslation();
  const found = outcomes.filter((outcome) => (faults[outcome] ?? 0) > 0);
  if (found.length === 0) return <span className="good">{t("home.noFaults")}</span>;
  const said = found.map((outcome) => `${t(`custody.outcome.${outcome}`)} ${numberText(faults[outcome] ?? 0)}`);
  return <span className="bad">{said.join(t("custody.between"))}</span>;
}

function Result({ run }: { run: AuditRun }): ReactNode {
  const { t } = useTranslation();
  const expected = run.expectedCount ?? 0;
  const counts = t("home.runRead", { read: numberText(run.readCount), expected: numberText(expected) });
  if (isOpen(run)) {
    return (
      <span className="run-open">
        {t(`home.runState.${run.state}`)}
        {run.state === "running" && (
          <>
            <Progress
              aria-label={t("home.fixity")}
              percent={expected === 0 ? 100 : Math.floor((run.readCount / expected) * 100)}
              size="small"
              strokeColor="var(--accent)"
            />
            <span className="quiet">{counts}</span>
          </>
        )}
      </span>
    );
  }
  const faults = run.damagedCount + run.missingCount + run.unlockedCount + run.unreadableCount;
  return (
    <>
      {run.state === "failed" && <Tag color="red">{t("home.runState.failed")}</Tag>}
      {faults > 0 && <Tag color="red">{t("home.runFaults", { count: faults })}</Tag>}
      {run.state === "finished" && faults === 0 && <span className="good">{t("home.runIntact")}</span>}{" "}
      <span className="quiet">{counts}</span>
      {run.failure !== null && <InEnglish text={run.failure} />}
    </>
  );
}
