import { type Found, instantText, type Limits } from "./facts.ts";
import type { Run } from "./numbers.ts";
import { apart, isSegment, type PlacedClip } from "./placed.ts";

/** Segments of one recorder that continue each other. The originals stay what they are: nothing is joined. */
export interface Recording {
  /**
   * The id of the segment that arrived first. Whatever arrives later, before, between or after, has arrived later: so
   * the id stays. When two recordings turn out to be one, the id of the older one stays, and the other one's still
   * leads there, since that clip is a segment of it.
   */
  readonly id: string;
  readonly segments: readonly Segment[];
}

export interface Segment {
  readonly clip: PlacedClip;
  /** From the end of the segment before to this one's beginning; negative where they overlap. */
  readonly gapBeforeMs: number | undefined;
}

interface Link {
  readonly from: PlacedClip;
  readonly to: PlacedClip;
  readonly gapMs: number;
  readonly marginMs: number;
}

/**
 * @param clips in the order of `placeClips`.
 * @returns recordings in the order of their first segments, and the links within them.
 */
export function recordingsOf(
  clips: readonly PlacedClip[],
  runs: readonly Run[],
  limits: Limits,
): { recordings: Recording[]; links: Link[] } {
  const segments = clips.filter(isSegment);
  const position = new Map(segments.map((clip, index) => [clip.id, index]));
  const next = new Map<string, Link>();
  const previous = new Map<string, Link>();
  const join = (from: PlacedClip, to: PlacedClip, withinSeconds: number, overlapMs: number) => {
    if ((position.get(from.id) ?? 0) >= (position.get(to.id) ?? 0)) return;
    if (next.has(from.id) || previous.has(to.id)) return;
    const link = linkBetween(from, to);
    if (link === undefined || link.gapMs > withinSeconds * 1000 || link.gapMs < -overlapMs) return;
    next.set(from.id, link);
    previous.set(to.id, link);
  };
  for (const run of runs) {
    for (const to of run.clips) {
      const from = run.at.get(to.sequence - 1);
      if (from === undefined || !isSegment(from) || !isSegment(to)) continue;
      join(from, to, limits.sameRecordingSeconds, Number.POSITIVE_INFINITY);
    }
  }
  for (const [index, to] of segments.entries()) {
    const from = segments[index - 1];
    if (from === undefined) continue;
    join(from, to, limits.gapToleranceSeconds, limits.overlapToleranceSeconds * 1000);
  }
  const recordings = segments
    .filter((clip) => !previous.has(clip.id))
    .map((first) => {
      const chain: Segment[] = [];
      for (let clip: PlacedClip | undefined = first; clip !== undefined; clip = next.get(clip.id)?.to) {
        chain.push({ clip, gapBeforeMs: previous.get(clip.id)?.gapMs });
      }
      return { id: firstArrived(chain.map(({ clip }) => clip)), segments: chain };
    });
  return { recordings, links: [...next.values()] };
}

function linkBetween(from: PlacedClip, to: PlacedClip): Link | undefined {
  const distance = apart(from.place, to.place);
  if (distance === undefined || from.durationSeconds === undefined) return undefined;
  const gapMs = distance.ms - Math.round(from.durationSeconds * 1000);
  return { from, to, gapMs, marginMs: distance.marginMs };
}

function firstArrived(clips: readonly PlacedClip[]): string {
  return clips.reduce((first, clip) => {
    if (clip.receivedAtMs !== first.receivedAtMs) return clip.receivedAtMs < first.receivedAtMs ? clip : first;
    return clip.id < first.id ? clip : first;
  }).id;
}

/** Gaps within recordings that nobody gave a reason for. */
export function gapsInTime(links: readonly Link[], limits: Limits): { found: Found; settledAtMs: number }[] {
  return links
    .filter(({ gapMs, marginMs, to }) => {
      return gapMs - marginMs > limits.gapToleranceSeconds * 1000 && to.interruptionReason === undefined;
    })
    .map(({ from, to, gapMs, marginMs }) => ({
      found: {
        kind: "gap-in-time",
        subject: `after ${from.id}`,
        detail: `Nothing was recorded for ${gapMs / 1000} s between ${from.fileName} and ${to.fileName}, and no reason was given.`,
        evidence: { clipIds: [from.id, to.id], gapMs, marginMs },
      },
      settledAtMs: Math.max(from.receivedAtMs, to.receivedAtMs),
    }));
}

/**
 * Clips that cover the same time for longer than a recorder's look back. Each is compared with the one that reached
 * furthest before it.
 */
export function overlapsOf(clips: readonly PlacedClip[], limits: Limits): Found[] {
  const found: Found[] = [];
  let furthest: PlacedClip | undefined;
  for (const clip of clips) {
    if (!isSegment(clip) || clip.impossible !== undefined || clip.place?.endMs === undefined) continue;
    const before = furthest?.place;
    const distance = apart(before, clip.place);
    if (furthest !== undefined && before?.endMs !== undefined && distance !== undefined) {
      const overlapMs = Math.min(before.endMs, clip.place.endMs) - clip.place.startMs;
      if (overlapMs - distance.marginMs > limits.overlapToleranceSeconds * 1000) {
        found.push(overlap(furthest, clip, overlapMs, distance.marginMs));
      }
    }
    if (before?.endMs === undefined || distance === undefined || clip.place.endMs > before.endMs) furthest = clip;
  }
  return found;
}

function overlap(a: PlacedClip, b: PlacedClip, overlapMs: number, marginMs: number): Found {
  const times = [a, b].flatMap(({ place }) => (place === undefined ? [] : [place]));
  return {
    kind: "overlap",
    subject: `clip ${b.id}`,
    detail: `${a.fileName} and ${b.fileName} cover the same ${overlapMs / 1000} s.`,
    evidence: {
      clipIds: [a.id, b.id],
      overlapMs,
      marginMs,
      zoneKnown: times.every(({ scale }) => scale === "utc"),
      begins: times.map(({ startMs }) => instantText(startMs)),
    },
  };
}
