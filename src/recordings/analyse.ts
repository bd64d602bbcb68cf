import { clockJumps } from "./clock-jumps.ts";
import { type ClipFact, type ClockFact, type EntryFact, type Found, instantText, type Limits } from "./facts.ts";
import { compareListed } from "./listed.ts";
import { missingNumbers, runsOf } from "./numbers.ts";
import { type PlacedClip, placeClips } from "./placed.ts";
import { gapsInTime, overlapsOf, type Recording, recordingsOf } from "./segments.ts";

/** Everything that is known of a recorder's time line, in any order. */
export interface RecorderFacts {
  readonly clips: readonly ClipFact[];
  readonly entries: readonly EntryFact[];
  /** Comparisons of clocks that no clip tells of: those of manifests. */
  readonly clocks: readonly ClockFact[];
}

export interface Analysis {
  readonly recordings: Recording[];
  readonly findings: Found[];
  /** The newest comparison of the recorder's clock with a station's. */
  readonly lastClock: ClockFact | undefined;
  /** When the same facts will give something else: what is on its way gets its time. */
  readonly nextLookAtMs: number | undefined;
}

/**
 * What belongs together on a recorder's time line, and what does not fit. Pure: the same facts, in whatever order, give
 * the same at the same moment.
 */
export function analyse(facts: RecorderFacts, limits: Limits, nowMs: number): Analysis {
  const clips = placeClips(facts.clips);
  const runs = runsOf(clips);
  const { recordings, links } = recordingsOf(clips, runs, limits);
  const listed = compareListed(facts.entries, clips, limits);
  const clocks = [...facts.clocks, ...clocksOfClips(clips)].sort(byTime);
  const settleMs = limits.settleSeconds * 1000;
  const waiting = [
    ...[...missingNumbers(runs), ...gapsInTime(links, limits)].map(({ found, settledAtMs }) => ({
      found,
      dueAtMs: settledAtMs + settleMs,
    })),
    ...listed.absent,
  ];
  const due = waiting.filter(({ dueAtMs }) => dueAtMs <= nowMs).map(({ found }) => found);
  const later = waiting.map(({ dueAtMs }) => dueAtMs).filter((dueAtMs) => dueAtMs > nowMs);
  return {
    recordings,
    findings: [
      ...due,
      ...overlapsOf(clips, limits),
      ...clips.flatMap((clip) => lateArrival(clip, limits) ?? []),
      ...clockJumps(clips, runs, clocks, limits),
      ...clips.flatMap((clip) => incompleteSource(clip) ?? []),
      ...listed.differing,
    ],
    lastClock: clocks.at(-1),
    nextLookAtMs: later.length === 0 ? undefined : later.reduce((first, one) => Math.min(first, one)),
  };
}

function byTime(a: ClockFact, b: ClockFact): number {
  return a.atMs - b.atMs || (a.source < b.source ? -1 : Number(a.source > b.source));
}

/** Clips of one docking repeat one comparison: the first to arrive stands for it. */
function clocksOfClips(clips: readonly PlacedClip[]): ClockFact[] {
  const clocks: ClockFact[] = [];
  for (const clip of clips.toSorted((a, b) => a.receivedAtMs - b.receivedAtMs || (a.id < b.id ? -1 : 1))) {
    if (clip.clockOffsetMs === undefined) continue;
    const uncertaintyMs = clip.clockUncertaintyMs ?? 0;
    const last = clocks.at(-1);
    if (last?.offsetMs === clip.clockOffsetMs && last.uncertaintyMs === uncertaintyMs) continue;
    clocks.push({ atMs: clip.receivedAtMs, offsetMs: clip.clockOffsetMs, uncertaintyMs, source: clip.id });
  }
  return clocks;
}

/** Counted from the latest moment at which the recording can have ended. */
function lateArrival(clip: PlacedClip, limits: Limits): Found | undefined {
  if (clip.place === undefined || clip.impossible !== undefined) return undefined;
  const endedMs = clip.place.latestMs + (clip.durationSeconds ?? 0) * 1000;
  const lateMs = clip.receivedAtMs - endedMs;
  if (lateMs <= limits.lateAfterSeconds * 1000) return undefined;
  return {
    kind: "late-arrival",
    subject: `clip ${clip.id}`,
    detail: `${clip.fileName} arrived ${Math.floor(lateMs / 3_600_000)} h after it ended; ${limits.lateAfterSeconds / 3600} h are allowed.`,
    evidence: {
      clipIds: [clip.id],
      endedAtLatest: instantText(endedMs),
      receivedAt: instantText(clip.receivedAtMs),
      lateAfterSeconds: limits.lateAfterSeconds,
    },
  };
}

function incompleteSource(clip: PlacedClip): Found | undefined {
  if (clip.unreadableBytes === 0) return undefined;
  return {
    kind: "incomplete-source",
    subject: `clip ${clip.id}`,
    detail: `${clip.unreadableBytes} bytes of ${clip.fileName} could not be read from the card.`,
    evidence: { clipIds: [clip.id], unreadableBytes: clip.unreadableBytes },
  };
}
