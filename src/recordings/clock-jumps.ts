import { type ClockFact, type Found, instantText, type Limits } from "./facts.ts";
import type { Run } from "./numbers.ts";
import { apart, type PlacedClip } from "./placed.ts";

/**
 * Signs that a recorder's clock jumped: impossible and future times, an order that time contradicts, a new offset.
 * @param clocks oldest first.
 */
export function clockJumps(
  clips: readonly PlacedClip[],
  runs: readonly Run[],
  clocks: readonly ClockFact[],
  limits: Limits,
): Found[] {
  return [
    ...clips.flatMap((clip) => impossibleTime(clip, limits) ?? []),
    ...runs.flatMap(contradictions),
    ...offsetChanges(clocks, limits),
  ];
}

function impossibleTime(clip: PlacedClip, limits: Limits): Found | undefined {
  const told = { clipIds: [clip.id], capturedAtRaw: clip.capturedAtRaw, receivedAt: instantText(clip.receivedAtMs) };
  if (clip.impossible === "impossible-date") {
    return {
      kind: "clock-jump",
      subject: `date ${clip.id}`,
      detail: `${clip.fileName} says that it was recorded at ${clip.capturedAtRaw}: the recorder had lost its clock.`,
      evidence: { reason: "impossible-date", ...told },
    };
  }
  const { place } = clip;
  if (place === undefined || place.earliestMs <= clip.receivedAtMs + limits.clockToleranceSeconds * 1000)
    return undefined;
  return {
    kind: "clock-jump",
    subject: `future ${clip.id}`,
    detail: `${clip.fileName} says that it was recorded at ${clip.capturedAtRaw}, after it arrived.`,
    evidence: { reason: "future", ...told },
  };
}

/** A clock that names no zone is set back by an hour once a year in many places: that is no jump. */
const changeOfClocksMs = 3_600_000;

function contradictions(run: Run): Found[] {
  const found: Found[] = [];
  let before: (typeof run.clips)[number] | undefined;
  for (const clip of run.clips) {
    if (clip.impossible !== undefined || clip.place === undefined) continue;
    const distance = apart(before?.place, clip.place);
    if (before !== undefined && distance !== undefined && before.sequence < clip.sequence) {
      const margin = distance.marginMs + (clip.place.scale === "wall" ? changeOfClocksMs : 0);
      if (distance.ms < -margin) {
        found.push({
          kind: "clock-jump",
          subject: `order ${clip.id}`,
          detail: `${clip.fileName} (number ${clip.sequence}) says an earlier time than ${before.fileName} (number ${before.sequence}).`,
          evidence: {
            reason: "order",
            clipIds: [before.id, clip.id],
            sequences: [before.sequence, clip.sequence],
            capturedAtRaw: [before.capturedAtRaw, clip.capturedAtRaw],
            backMs: -distance.ms,
            marginMs: margin,
          },
        });
      }
    }
    before = clip;
  }
  return found;
}

function offsetChanges(clocks: readonly ClockFact[], limits: Limits): Found[] {
  return clocks.flatMap((clock, index): Found[] => {
    const before = clocks[index - 1];
    if (before === undefined) return [];
    const changeMs = clock.offsetMs - before.offsetMs;
    const allowedMs = limits.clockToleranceSeconds * 1000 + clock.uncertaintyMs + before.uncertaintyMs;
    if (Math.abs(changeMs) <= allowedMs) return [];
    return [
      {
        kind: "clock-jump",
        subject: `offset ${clock.source}`,
        detail: `The recorder's clock was off by ${before.offsetMs / 1000} s, then by ${clock.offsetMs / 1000} s.`,
        evidence: {
          reason: "offset",
          sources: [before.source, clock.source],
          at: [instantText(before.atMs), instantText(clock.atMs)],
          offsetsMs: [before.offsetMs, clock.offsetMs],
          uncertaintiesMs: [before.uncertaintyMs, clock.uncertaintyMs],
        },
      },
    ];
  });
}
