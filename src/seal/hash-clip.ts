import { createHash } from "node:crypto";
import { appendEvent } from "#custody";
import { type Database, finishStep, inTransaction, planSteps, stepIsPending, touchStep } from "#db";
import { encodeSealManifest } from "#evidence";
import type { SystemActor } from "#identity";
import { type ClipRecord, clipRecord, holdClip, markHashed } from "#ingest";
import { type Clock, isProblem } from "#kernel";
import type { EvidenceStore, ObjectRef, Retention } from "#store";
import type { StoredDigests } from "./hash-thread.ts";
import { quarantineClip, reasons } from "./quarantine.ts";
import { readBack } from "./read-back.ts";

export interface SealDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  /** For the hash threads, which open the store themselves. */
  readonly storeUrl: string;
  readonly retentionDays: number;
  readonly clock: Clock;
  /** Told of every clip that goes into quarantine. */
  readonly onQuarantine: (clipId: string, reason: string) => void;
  /** Tries to put damaged bytes right from a copy. @returns whether it did; the clip then reads as it was sealed. */
  readonly repair?: (clip: ClipRecord, reason: string, signal: AbortSignal) => Promise<boolean>;
  /** Told about a sign of life that could not be given: at worst the step is queued twice. */
  readonly onSideError: (error: unknown) => void;
}

const actor: SystemActor = { type: "system", id: "hash" };

/**
 * Locks the stored object, reads it back and hashes it. Equal to what came in: the seal manifest is written and the clip
 * goes on. Different, twice: the clip goes into quarantine. Done already: nothing.
 */
export async function hashClip(
  deps: SealDependencies,
  job: { clipId: string; traceId: string; signal: AbortSignal },
): Promise<void> {
  const { db } = deps;
  if (!(await stepIsPending(db, job.clipId, "hash"))) return;
  const clip = await clipRecord(db, job.clipId);
  const ref: ObjectRef = { key: clip.objectKey, versionId: clip.versionId };
  let retention: Retention;
  let digests: StoredDigests;
  try {
    // Locked first, so that what is hashed below is what stays.
    retention = await deps.store.lock(ref, retainUntil(clip, deps.retentionDays));
    digests = await readStored(deps, clip, job.signal);
  } catch (error) {
    if (!isProblem(error, "object-missing")) throw error;
    return quarantine(deps, clip, reasons.missing, {});
  }
  if (digests.sha256 !== clip.sha256 || digests.sizeBytes !== clip.sizeBytes) {
    // A fault on the way back is not a fault of what is stored: only a second look that differs as well counts.
    digests = await readStored(deps, clip, job.signal);
  }
  if (digests.sha256 !== clip.sha256 || digests.sizeBytes !== clip.sizeBytes) {
    const found = { expected: { sizeBytes: clip.sizeBytes, sha256: clip.sha256 }, stored: { ...digests } };
    return quarantine(deps, clip, reasons.differs, found);
  }
  const manifest = encodeSealManifest({
    v: 1,
    type: "dockseal/seal-manifest",
    clip: clip.id,
    sizeBytes: digests.sizeBytes,
    sha256: digests.sha256,
    sm3: digests.sm3,
    chunkTree: { chunkBytes: 4194304, count: digests.chunkCount, root: digests.chunkRoot },
    received: { at: new Date(clip.receivedAt).toISOString() },
    readBack: { at: deps.clock.now().toISOString() },
    stored: {
      location: deps.store.location,
      ...ref,
      retention: { mode: retention.mode, until: retention.until.toISOString() },
    },
  });
  await inTransaction(db, async (tx) => {
    // A check on the server may have put it into quarantine meanwhile: from there it does not come back.
    if ((await holdClip(tx, clip.id)) !== "received" || !(await finishStep(tx, clip.id, "hash"))) return;
    await tx.insertInto("sealManifest").values({ clipId: clip.id, manifest }).executeTakeFirstOrThrow();
    const retainedUntil = retention.until.toISOString();
    await markHashed(tx, clip.id, { sm3: digests.sm3, chunkRoot: digests.chunkRoot, retainedUntil });
    const { sizeBytes, sha256, sm3, chunkRoot } = digests;
    const manifestSha256 = createHash("sha256").update(manifest).digest("hex");
    await appendEvent(tx, {
      type: "clip.hashed",
      clipId: clip.id,
      actor,
      details: { sizeBytes, sha256, sm3, chunkRoot, retainedUntil, manifestSha256 },
    });
    await planSteps(tx, clip.id, ["timestamp", "transcode", "bind"], job.traceId);
  });
}

/** Retention counts from the arrival, in whole days. */
function retainUntil(clip: ClipRecord, days: number): Date {
  // S3 keeps whole seconds: rounded up, so that what is read back is never before what was asked for.
  return new Date(Math.ceil((Date.parse(clip.receivedAt) + days * 86_400_000) / 1000) * 1000);
}

function readStored(deps: SealDependencies, clip: ClipRecord, signal: AbortSignal): Promise<StoredDigests> {
  return readBack(
    deps.storeUrl,
    { key: clip.objectKey, versionId: clip.versionId },
    {
      signal,
      onProgress: () => void touchStep(deps.db, clip.id, "hash").catch(deps.onSideError),
    },
  );
}

async function quarantine(
  deps: SealDependencies,
  clip: ClipRecord,
  reason: string,
  details: Parameters<typeof appendEvent>[1]["details"],
): Promise<void> {
  const news = await inTransaction(deps.db, async (tx) => {
    // Another run may have found it sound and gone on.
    const state = await holdClip(tx, clip.id);
    return state === "received" && quarantineClip(tx, clip.id, { actor, reason, details });
  });
  if (news) deps.onQuarantine(clip.id, reason);
}
