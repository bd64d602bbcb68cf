import { captureReading } from "#metadata";
import type { ClipFact } from "./facts.ts";

/** Where a clip stands on its recorder's time line: an opinion with bounds, beside the raw string. */
export interface Place {
  /** `wall`: the zone is unknown, and `startMs` is what the clock showed, as if that had been UTC. */
  readonly scale: "utc" | "wall";
  /** Recorder time minus the clock's offset. */
  readonly startMs: number;
  /** Undefined when the duration is unknown. */
  readonly endMs: number | undefined;
  /** The beginning lies between these instants (UTC). */
  readonly earliestMs: number;
  readonly latestMs: number;
  readonly clockOffsetMs: number | undefined;
  readonly clockUncertaintyMs: number;
  /** Half of what a change of clocks leaves open. */
  readonly ambiguityMs: number;
}

export interface PlacedClip extends ClipFact {
  /** Undefined when the source says no time that can be read. */
  readonly place: Place | undefined;
  /** Why the recorder's clock cannot have been right. */
  readonly impossible: "impossible-date" | "future" | undefined;
}

const hour = 3_600_000;
/** Recorders that lost their clock begin at 1970, 2000, 2010 or 2015 (SWGDE 20-V-002 on drift and resets). */
const earliestPossibleMs = Date.UTC(2016, 0, 1);
/** So far ahead of its arrival a clip is by a wrong clock, not by a wrong zone. */
const farAheadMs = 24 * hour;
/** No clock is off by a century: such a comparison says nothing. */
const largestOffsetMs = 100 * 366 * 24 * hour;

/** @returns undefined when the source says no time that can be read. */
export function placeOf(
  fact: Pick<ClipFact, "capturedAtRaw" | "capturedAtZone" | "durationSeconds" | "clockOffsetMs" | "clockUncertaintyMs">,
): Place | undefined {
  const reading = captureReading(fact.capturedAtRaw, fact.capturedAtZone);
  if (reading === undefined) return undefined;
  const { wallMs, instants } = reading;
  const [first, second] = instants;
  const measured = Math.abs(fact.clockOffsetMs ?? 0) > largestOffsetMs ? undefined : fact.clockOffsetMs;
  const offset = measured ?? 0;
  const uncertainty = fact.clockUncertaintyMs ?? 0;
  const ambiguity = first === undefined || second === undefined ? 0 : (second - first) / 2;
  const startMs = (first === undefined ? wallMs : first + ambiguity) - offset;
  // Zones lie between UTC-12 and UTC+14.
  const [before, after] = first === undefined ? [14 * hour, 12 * hour] : [ambiguity, ambiguity];
  return {
    scale: first === undefined ? "wall" : "utc",
    startMs,
    endMs: fact.durationSeconds === undefined ? undefined : startMs + Math.round(fact.durationSeconds * 1000),
    earliestMs: startMs - before - uncertainty,
    latestMs: startMs + after + uncertainty,
    clockOffsetMs: measured,
    clockUncertaintyMs: uncertainty,
    ambiguityMs: ambiguity,
  };
}

/** Places clips, and puts them in order: by time, then number, then id; those without a time come last, as they arrived. */
export function placeClips(clips: readonly ClipFact[]): PlacedClip[] {
  return clips
    .map((clip) => {
      const place = placeOf(clip);
      return { ...clip, place, impossible: whyImpossible(clip, place) };
    })
    .sort(inOrder);
}

function whyImpossible(clip: ClipFact, place: Place | undefined): PlacedClip["impossible"] {
  // Digits in the form of a date that no calendar has, e.g. 2026-00-00.
  if (place === undefined)
    return /^\d{4}-?\d{2}-?\d{2}/.test(clip.capturedAtRaw.trim()) ? "impossible-date" : undefined;
  if (place.startMs + (place.clockOffsetMs ?? 0) < earliestPossibleMs) return "impossible-date";
  return place.earliestMs > clip.receivedAtMs + farAheadMs ? "future" : undefined;
}

function inOrder(a: PlacedClip, b: PlacedClip): number {
  const times = [a, b].map((clip) => clip.place?.startMs ?? Number.POSITIVE_INFINITY) as [number, number];
  if (times[0] !== times[1]) return times[0] < times[1] ? -1 : 1;
  const byArrival = a.place === undefined ? a.receivedAtMs - b.receivedAtMs : 0;
  return byArrival || (a.sequence ?? 0) - (b.sequence ?? 0) || (a.id < b.id ? -1 : Number(a.id > b.id));
}

/**
 * How long after the beginning of `a` that of `b` is, and by how much that may be off. What one comparison of clocks
 * leaves open is the same for all clips that it was made for, and so drops out between them.
 * @returns undefined when the two cannot be compared: no time, or one with a zone and one without.
 */
export function apart(
  a: Place | undefined,
  b: Place | undefined,
): { readonly ms: number; readonly marginMs: number } | undefined {
  if (a === undefined || b === undefined || a.scale !== b.scale) return undefined;
  return { ms: b.startMs - a.startMs, marginMs: clockMargin(a, b) + a.ambiguityMs + b.ambiguityMs };
}

function clockMargin(a: Place, b: Place): number {
  if (a.clockOffsetMs === b.clockOffsetMs) return 0;
  const measured = [a, b].map((place) =>
    place.clockOffsetMs === undefined ? undefined : place.clockUncertaintyMs,
  ) as [number | undefined, number | undefined];
  // A clock that nobody compared may be off as much as the other one was.
  const unmeasured = Math.abs(a.clockOffsetMs ?? b.clockOffsetMs ?? 0);
  return (measured[0] ?? unmeasured) + (measured[1] ?? unmeasured);
}

/** Recordings have a length; pictures and texts are moments. */
export function isSegment(clip: PlacedClip): boolean {
  return (
    clip.kind === "video" || clip.kind === "audio" || (clip.kind === "other" && clip.durationSeconds !== undefined)
  );
}
