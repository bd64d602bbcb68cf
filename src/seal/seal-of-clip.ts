import type { Database } from "#db";
import { parseSealManifest, type SealManifest } from "#evidence";

/** What was sealed of a clip. */
export interface ClipSeal {
  readonly manifest: SealManifest;
  /** The custody event `clip.sealed`. */
  readonly eventId: string;
  /** Time that the timestamp tells: RFC 3339. */
  readonly generatedAt: string;
  /** PEM certificates that the timestamp leads to. */
  readonly timestampRoots: readonly string[];
}

/** @returns undefined until the clip is sealed. */
export async function sealOfClip(db: Database, clipId: string): Promise<ClipSeal | undefined> {
  const row = await db
    .selectFrom("sealTimestamp")
    .innerJoin("sealManifest", "sealManifest.clipId", "sealTimestamp.clipId")
    .select(["manifest", "eventId", "generatedAt", "roots"])
    .where("sealTimestamp.clipId", "=", clipId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { manifest, eventId, generatedAt, roots } = row;
  return { manifest: parseSealManifest(manifest), eventId, generatedAt, timestampRoots: roots };
}
