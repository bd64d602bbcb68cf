import { appendEvent } from "#custody";
import { inTransaction } from "#db";
import type { Actor } from "#identity";
import { clipRecord, holdClip } from "#ingest";
import type { SealDependencies } from "./hash-clip.ts";
import type { StoredDigests } from "./hash-thread.ts";
import { lookAtStored } from "./look.ts";
import { quarantineClip, reasons } from "./quarantine.ts";

export interface StoredVerification {
  readonly intact: boolean;
  /** Not intact, but put right from a copy: the clip is what was sealed again. */
  readonly repaired: boolean;
  readonly expected: { readonly sizeBytes: number; readonly sha256: string; readonly sm3: string | null };
  /** What the store gave just now; null when the object is gone. */
  readonly found: { readonly sizeBytes: number; readonly sha256: string; readonly sm3: string } | null;
}

/** How far a verification is. */
export interface VerificationProgress {
  readonly bytesRead: number;
  readonly bytesTotal: number;
  /** 2: the first look found a difference, and everything is read once more. */
  readonly look: 1 | 2;
}

/**
 * Reads the stored bytes again and compares them with what came in. The outcome is a custody event either way; a
 * difference, which a second look confirms, puts the clip into quarantine, unless it can be repaired.
 * @param onProgress called at the beginning, and about twice a second while bytes come.
 */
export async function verifyStored(
  deps: Pick<SealDependencies, "db" | "storeUrl" | "onQuarantine" | "repair">,
  clipId: string,
  actor: Actor,
  signal: AbortSignal,
  onProgress?: (progress: VerificationProgress) => void,
): Promise<StoredVerification> {
  const clip = await clipRecord(deps.db, clipId);
  const expected = { sizeBytes: clip.sizeBytes, sha256: clip.sha256, sm3: clip.sm3 };
  const ref = { key: clip.objectKey, versionId: clip.versionId };
  let which: 1 | 2 = 1;
  const tell = (bytesRead: number): void => onProgress?.({ bytesRead, bytesTotal: clip.sizeBytes, look: which });
  const onSecondLook = (): void => {
    which = 2;
    tell(0);
  };
  tell(0);
  const look = await lookAtStored(
    deps.storeUrl,
    ref,
    { ...expected, chunkRoot: clip.chunkRoot },
    { signal, onProgress: tell, onSecondLook, progressMs: 500 },
  );
  const { intact } = look;
  const found = look.found === null ? null : withoutChunks(look.found);
  const reason = found === null ? reasons.missing : reasons.differs;
  const repaired = !intact && (await deps.repair?.(clip, reason, signal)) === true;
  const news = await inTransaction(deps.db, async (tx) => {
    await holdClip(tx, clipId);
    await appendEvent(tx, { type: "clip.verified", clipId, actor, details: { intact, repaired, expected, found } });
    return !intact && !repaired && quarantineClip(tx, clipId, { actor, reason, details: { expected, found } });
  });
  if (news) deps.onQuarantine(clipId, reason);
  return { intact, repaired, expected, found };
}

function withoutChunks({ sizeBytes, sha256, sm3 }: StoredDigests): NonNullable<StoredVerification["found"]> {
  return { sizeBytes, sha256, sm3 };
}
