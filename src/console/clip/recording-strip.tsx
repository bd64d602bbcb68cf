import { useQuery } from "@tanstack/react-query";
import { Checkbox } from "antd";
import { Fragment, type ReactNode, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, asked } from "../api/client.ts";
import type { ClipDetail, Recording } from "../api/types.ts";
import { durationText } from "../format.ts";
import { Panel } from "../shared/panel.tsx";
import { timeOfDay } from "./moment.ts";

/** Segments that touch each other by less are not told apart from those that follow at once. */
const noticedMs = 1_000;

/** The recording that the clip is a segment of, when it has others. */
export function useRecording(clip: ClipDetail): Recording | undefined {
  const id = clip.recordingId;
  const { data } = useQuery({
    queryKey: ["recording", id],
    queryFn: () => asked(api.GET("/api/v1/recordings/{id}", { params: { path: { id: id ?? "" } } })),
    enabled: id !== null,
  });
  return id !== null && data !== undefined && data.segments.length > 1 ? data : undefined;
}

/** The segments before and after a clip. */
export function neighboursOf(recording: Recording | undefined, clipId: string): { next: string | undefined } {
  const segments = recording?.segments ?? [];
  const at = segments.findIndex((segment) => segment.clipId === clipId);
  return { next: at === -1 ? undefined : segments[at + 1]?.clipId };
}

interface Given {
  readonly recording: Recording;
  readonly clipId: string;
  readonly goesOn: boolean;
  readonly onGoesOn: (goesOn: boolean) => void;
}

/** All segments of a recording in order, with what is missing between them. */
export function RecordingStrip({ recording, clipId, goesOn, onGoesOn }: Given): ReactNode {
  const { t } = useTranslation();
  const list = useRef<HTMLOListElement>(null);
  const { segments } = recording;
  const at = segments.findIndex((segment) => segment.clipId === clipId);
  useEffect(() => {
    const here = list.current?.children[at];
    if (!(here instanceof HTMLElement) || list.current === null) return;
    // Only the strip is moved, never the page.
    list.current.scrollLeft = here.offsetLeft - list.current.clientWidth / 2 + here.offsetWidth / 2;
  }, [at]);
  return (
    <Panel
      title={t("player.recording")}
      name="recording-panel"
      extra={
        <span className="recording-head">
          <span className="quiet">
            {t("player.segmentOf", { n: at + 1, count: segments.length })}
            {recording.recordedSeconds !== null && ` · ${durationText(recording.recordedSeconds)}`}
          </span>
          <Checkbox checked={goesOn} onChange={({ target }) => onGoesOn(target.checked)}>
            {t("player.goOn")}
          </Checkbox>
        </span>
      }
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what can be scrolled must be reached by keyboard (WCAG 2.1.1) */}
      <ol className="segments" ref={list} tabIndex={0} aria-label={t("player.recording")}>
        {segments.map((segment, n) => (
          <li key={segment.clipId}>
            <Gap ms={n === 0 ? 0 : segment.gapBeforeMs} reason={segment.interruptionReason} />
            <Link
              href={`/clips/${segment.clipId}`}
              className={`segment ${segment.clipId === clipId ? "here" : ""} ${segment.state === "quarantined" ? "damaged" : ""}`}
              aria-current={segment.clipId === clipId}
              title={segment.fileName}
            >
              <b>{t("player.segment", { n: n + 1 })}</b>
              <span>{beginOf(segment.time) ?? segment.capturedAtRaw}</span>
              <span className="quiet">
                {segment.durationSeconds === null ? "–" : durationText(segment.durationSeconds)}
              </span>
            </Link>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

/** What lies between a segment and the one before; nothing where they follow each other. */
function Gap({ ms, reason }: { ms: number | null; reason: string | null }): ReactNode {
  const { t } = useTranslation();
  if (ms !== null && Math.abs(ms) < noticedMs) return <Fragment />;
  const length = ms === null ? "" : durationText(Math.abs(ms) / 1000);
  const said =
    ms === null ? t("player.gapUnknown") : ms < 0 ? t("player.overlap", { length }) : t("player.gap", { length });
  return (
    <span className={ms !== null && ms < 0 ? "segment-gap" : "segment-gap open"} title={reason ?? undefined}>
      {said}
    </span>
  );
}

/** Time of day; where no zone is known, of the recorder's own clock. */
function beginOf(time: unknown): string | undefined {
  const { begins, zoneKnown } = (time ?? {}) as { begins?: string; zoneKnown?: boolean };
  if (begins === undefined) return undefined;
  return zoneKnown === true ? timeOfDay(Date.parse(begins)) : begins.slice(11, 19);
}
