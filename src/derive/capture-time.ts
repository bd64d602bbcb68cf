import { capturedInstant } from "#metadata";

/**
 * One statement of a file about when it was recorded. `raw` is evidence and stays as it is; `normalized` is our
 * reading of it: many cameras write local time and call it UTC, and clocks drift.
 */
export interface CaptureTime {
  readonly raw: string;
  /** Where it stands: `quicktime:creation_time`, `format.tags.date`, `streams[0].tags.creation_time`, `exif:DateTime`. */
  readonly source: string;
  /** RFC 3339 in UTC; absent when the statement names no zone. */
  readonly normalized?: string;
  /** `utc-claimed`: it ends in Z. `zoned`: it names an offset. `unknown`: neither, or it cannot be read. */
  readonly certainty: "utc-claimed" | "zoned" | "unknown";
}

const timeTag = /^(?:creation_time|creation_?date|date|date_?recorded|com\.apple\.quicktime\.creationdate|idit|icrd)$/i;
const exifTag = /^(?:DateTime|DateTimeOriginal|DateTimeDigitized)$/;

/** The statements about time among some tags; `place` is where the tags stand. */
export function captureTimesIn(
  tags: Readonly<Record<string, string>>,
  place: { container: string; kind: "format" | "exif" } | { container: string; kind: "stream"; index: number },
): CaptureTime[] {
  return Object.entries(tags)
    .filter(([name]) => (place.kind === "exif" ? exifTag : timeTag).test(name))
    .map(([name, raw]) => ({ raw, source: sourceOf(name, place), ...readTime(raw) }));
}

function sourceOf(name: string, place: Parameters<typeof captureTimesIn>[1]): string {
  if (place.kind === "exif") return `exif:${name}`;
  if (place.kind === "stream") return `streams[${place.index}].tags.${name}`;
  return place.container === "mov" && name === "creation_time" ? "quicktime:creation_time" : `format.tags.${name}`;
}

function readTime(raw: string): Pick<CaptureTime, "normalized" | "certainty"> {
  // EXIF writes the date with colons (CIPA DC-008 §4.6.5).
  const normalized = capturedInstant(raw.trim().replace(/^(\d{4}):(\d\d):(\d\d) /, "$1-$2-$3 "), undefined);
  if (normalized === undefined) return { certainty: "unknown" };
  return { normalized, certainty: raw.trim().endsWith("Z") ? "utc-claimed" : "zoned" };
}
