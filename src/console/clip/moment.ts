import type { ClipDetail } from "../api/types.ts";
import { durationText, shanghaiTime } from "../format.ts";

// Moments of a recording: positions in seconds from its beginning, as people write them.

/** `00:03.48`: moments are cited with hundredths. */
export function momentText(seconds: number): string {
  const hundredths = Math.floor(seconds * 100 + 1e-6);
  const whole = Math.floor(hundredths / 100);
  return `${durationText(whole)}.${String(hundredths % 100).padStart(2, "0")}`;
}

/** For the parameter `t` of an address. Rounded up: a little earlier would be the frame before. */
export function momentOfLink(seconds: number): string {
  return (Math.ceil(seconds * 1000 - 1e-6) / 1000).toFixed(3);
}

/**
 * The moment that somebody wrote: a position (`83.4`, `1:23.4`, `1:02:03`), or the time of day in China (`09:31:07`) when
 * it is known when the recording began. What can be read both ways is a position.
 * @returns seconds; undefined for what lies outside of the recording or is neither.
 */
export function momentIn(
  text: string,
  recording: { readonly lengthSeconds: number; readonly beganAtMs: number | undefined },
): number | undefined {
  // Chinese keyboards write ： and full-width digits.
  const parts = /^(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6}(?:\.\d{1,6})?)$/.exec(text.normalize("NFKC").trim());
  if (parts === null) return undefined;
  const [, hours, minutes, seconds] = parts.map((part) => (part === undefined ? undefined : Number(part)));
  if (seconds === undefined || (minutes !== undefined && seconds >= 60)) return undefined;
  if (hours !== undefined && minutes !== undefined && minutes >= 60) return undefined;
  const position = (hours ?? 0) * 3600 + (minutes ?? 0) * 60 + seconds;
  if (position <= recording.lengthSeconds) return position;
  if (hours === undefined || hours > 23 || recording.beganAtMs === undefined) return undefined;
  const after = (position - secondsOfDay(recording.beganAtMs) + secondsADay) % secondsADay;
  return after <= recording.lengthSeconds ? after : undefined;
}

const secondsADay = 86_400;

/** Since midnight in China, which has had no other offset since 1991. */
function secondsOfDay(ms: number): number {
  return (ms / 1000 + 8 * 3600) % secondsADay;
}

/** When the recording began: what the recorder said, less what its clock was off; undefined where no zone is known. */
export function beganAtMs({ capturedAt, metadata }: ClipDetail): number | undefined {
  const { clockOffsetMs = 0 } = metadata as { clockOffsetMs?: number };
  return capturedAt === null ? undefined : Date.parse(capturedAt) - clockOffsetMs;
}

/** `09:31:07` in China. */
export function timeOfDay(ms: number): string {
  return shanghaiTime(ms).slice(-8);
}
