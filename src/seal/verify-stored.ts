import { appendEvent } from "#custody";
import { inTransaction } from "#db";
import type { Actor } from "#identity";
import { clipRecord, holdClip } from "#ingest";
import { isProblem } from "#kernel";
import type { SealDependencies } from "./hash-clip.ts";
import { quarantineClip, reasons } from "./quarantine.ts";
import { readBack } from "./read-back.ts";

export interface StoredVerification {
  readonly intact: boolean;
  readonly expected: { readonly sizeBytes: number; readonly sha256: string; readonly sm3: string | null };
  /** What the store gave just now; null when the object is gone. */
  readonly found: { readonly sizeBytes: number; readonly sha256: string; readonly sm3: string } | null;
}

/**
 * Reads the stored bytes again and compares them with what came in. The outcome is a custody event either way; a
 * difference puts the clip into quarantine.
 */
export async function verifyStored(
  deps: Pick<SealDependencies, "db" | "storeUrl" | "onQuarantine">,
  clipId: string,
  actor: Actor,
  signal: AbortSignal,
): Promise<StoredVerification> {
  const clip = await clipRecord(deps.db, clipId);
  const expected = { sizeBytes: clip.sizeBytes, sha256: clip.sha256, sm3: clip.sm3 };
  const found = await readBack(deps.storeUrl, { key: clip.objectKey, versionId: clip.versionId }, { signal }).then(
    ({ sizeBytes, sha256, sm3 }) => ({ sizeBytes, sha256, sm3 }),
    (error: unknown) => {
      if (isProblem(error, "object-missing")) return null;
      throw error;
    },
  );
  const intact =
    found !== null &&
    found.sizeBytes === expected.sizeBytes &&
    found.sha256 === expected.sha256 &&
    (expected.sm3 === null || found.sm3 === expected.sm3);
  const reason = found === null ? reasons.missing : reasons.differs;
  const news = await inTransaction(deps.db, async (tx) => {
    await holdClip(tx, clipId);
    await appendEvent(tx, { type: "clip.verified", clipId, actor, details: { intact, expected, found } });
    return !intact && quarantineClip(tx, clipId, { actor, reason, details: { expected, found } });
  });
  if (news) deps.onQuarantine(clipId, reason);
  return { intact, expected, found };
}
