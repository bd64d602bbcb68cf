import { useQuery } from "@tanstack/react-query";
import { Spin } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, asked } from "../api/client.ts";
import type { CustodyLine } from "../api/types.ts";
import { shanghaiTime } from "../format.ts";
import { useSignedIn } from "../session.ts";
import { Panel } from "../shared/panel.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { CustodyEvent } from "./custody-event.tsx";
import { sentenceOf, toneOf } from "./custody-sentences.ts";

/** Everything that happened to the clip, newest first and day by day, each in a sentence that can be opened. */
export function CustodyPanel({ clipId }: { clipId: string }): ReactNode {
  const { t } = useTranslation();
  const { data, error } = useQuery({
    queryKey: ["custody", clipId],
    queryFn: () => asked(api.GET("/api/v1/clips/{id}/custody", { params: { path: { id: clipId } } })),
    // An event has no place in the log yet when it just happened.
    refetchInterval: ({ state }) => (state.data?.items.some(({ index }) => index === null) ? 2_000 : false),
  });
  return (
    <Panel title={t("custody.title")} name="custody-panel">
      {error !== null && <ProblemNotice error={error} />}
      {data === undefined && error === null && <Spin />}
      {data !== undefined &&
        daysOf(data.items).map(({ day, groups }) => (
          <section key={day} className="chain-day" aria-label={day}>
            <DayHead day={day} />
            <ol className="chain">
              {groups.map((lines) => (
                <Entry key={lines[0]?.id} clipId={clipId} lines={lines} />
              ))}
            </ol>
          </section>
        ))}
    </Panel>
  );
}

function DayHead({ day }: { day: string }): ReactNode {
  const { i18n } = useTranslation();
  const weekday = new Intl.DateTimeFormat(i18n.language, { weekday: "short", timeZone: "UTC" });
  return (
    <h3>
      {day} <span className="quiet">{weekday.format(new Date(`${day}T00:00:00Z`))}</span>
    </h3>
  );
}

/** What happened; what stands in the log of it comes when somebody opens it. */
function Entry({ clipId, lines }: { clipId: string; lines: readonly CustodyLine[] }): ReactNode {
  const { t } = useTranslation();
  const { personId } = useSignedIn();
  const [opened, setOpened] = useState(false);
  const [line] = lines;
  if (line === undefined) return null;
  const waiting = lines.some(({ index }) => index === null);
  return (
    <li data-event={line.type} data-tone={toneOf(line)} data-waiting={waiting}>
      <details onToggle={({ currentTarget }) => currentTarget.open && setOpened(true)}>
        <summary title={t("chain.custody.open")}>
          <time dateTime={line.at}>{shanghaiTime(line.at).slice(11)}</time>
          <span>
            {sentenceOf(lines, personId, t)}
            {waiting && <span className="quiet"> · {t("chain.custody.pending")}</span>}
          </span>
        </summary>
        {opened && lines.map((one) => <CustodyEvent key={one.id} clipId={clipId} line={one} />)}
      </details>
    </li>
  );
}

interface Day {
  /** `2026-11-28`, in China. */
  readonly day: string;
  readonly groups: readonly (readonly CustodyLine[])[];
}

/** Newest first. An audit reads a clip's original and all that was made of it: when all is well, that is one entry. */
function daysOf(lines: readonly CustodyLine[]): readonly Day[] {
  const days: { day: string; groups: CustodyLine[][] }[] = [];
  for (const line of lines.toReversed()) {
    const day = shanghaiTime(line.at).slice(0, 10);
    let last = days.at(-1);
    if (last?.day !== day) {
      last = { day, groups: [] };
      days.push(last);
    }
    const group = last.groups.at(-1);
    if (group?.[0] !== undefined && runOf(line) !== undefined && runOf(line) === runOf(group[0])) group.push(line);
    else last.groups.push([line]);
  }
  return days;
}

/** The audit that found it intact; undefined for everything else. */
function runOf({ type, details }: CustodyLine): string | undefined {
  if (type !== "clip.fixity-checked") return undefined;
  const { run, outcome } = (details ?? {}) as { run?: string; outcome?: string };
  return outcome === "intact" ? run : undefined;
}
