import type { Json } from "#kernel";

/** What a source tells of a file's place on a recorder's time line. */
interface TimeFact {
  readonly fileName: string;
  readonly capturedAtZone?: string | undefined;
  readonly durationSeconds?: number | undefined;
  readonly sequence?: number | undefined;
  /** Recorder clock minus station clock, and how far that may be off to either side. */
  readonly clockOffsetMs?: number | undefined;
  readonly clockUncertaintyMs?: number | undefined;
}

/** What is known of a clip that has to do with time and order. Times are milliseconds since 1970. */
export interface ClipFact extends TimeFact {
  readonly id: string;
  readonly kind: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly receivedAtMs: number;
  /** As the source says it; never rewritten. */
  readonly capturedAtRaw: string;
  /** From the probe when there is one, else from the station. */
  readonly durationSeconds?: number | undefined;
  readonly interruptionReason?: string | undefined;
  /** Bytes of the source that could not be read. */
  readonly unreadableBytes: number;
}

/** A file that a manifest lists. */
export interface EntryFact extends TimeFact {
  readonly manifestId: string;
  /** When the manifest came. */
  readonly listedAtMs: number;
  readonly capturedAt: string;
  readonly sizeBytes?: number | undefined;
  readonly sha256?: string | undefined;
}

/** A comparison of a recorder's clock with a station's. */
export interface ClockFact {
  readonly atMs: number;
  readonly offsetMs: number;
  readonly uncertaintyMs: number;
  /** Id of the clip or manifest that tells of it. */
  readonly source: string;
}

/** What an organization allows; each in seconds. */
export interface Limits {
  /** From the end of a recording to its arrival. */
  readonly lateAfterSeconds: number;
  /** So long a gap may fill up by what is still on its way. */
  readonly settleSeconds: number;
  /** Two clips may cover the same time for so long: recorders keep what they saw before the button was pressed. */
  readonly overlapToleranceSeconds: number;
  /** Between the end of a segment and the beginning of the next. */
  readonly gapToleranceSeconds: number;
  /** Segments with consecutive numbers are one recording up to such a gap. */
  readonly sameRecordingSeconds: number;
  /** A recorder's clock may be off by so much more at a docking than at the one before. */
  readonly clockToleranceSeconds: number;
}

export const defaultLimits: Limits = {
  lateAfterSeconds: 86_400,
  settleSeconds: 3600,
  overlapToleranceSeconds: 30,
  gapToleranceSeconds: 2,
  sameRecordingSeconds: 300,
  clockToleranceSeconds: 60,
};

export const findingKinds = [
  "gap-in-sequence",
  "gap-in-time",
  "overlap",
  "late-arrival",
  "clock-jump",
  "never-arrived",
  "incomplete-source",
  "differs-from-manifest",
] as const;
export type FindingKind = (typeof findingKinds)[number];

/** Something that does not fit. Kind and subject name it: found again, they are the same. */
export interface Found {
  readonly kind: FindingKind;
  /** What it is about: `<word> <id>`. */
  readonly subject: string;
  /** One sentence. */
  readonly detail: string;
  readonly evidence: { readonly [name: string]: Json };
}

/** RFC 3339 in UTC; what lies before the year 1 or after 9999 is told as the nearest that does not. */
export function instantText(ms: number): string {
  return new Date(Math.min(Math.max(ms, -62_135_596_800_000), 253_402_300_799_999)).toISOString();
}
