import { appendEvent, clearAlarm, raiseAlarm } from "#custody";
import { type Database, inTransaction, replanStep } from "#db";
import { addRepair, type ClipRecord, clipRecord, holdClip, markRestored } from "#ingest";
import { DocksealError } from "#kernel";
import { lookAtStored, reasons } from "#seal";
import type { EvidenceStore, ObjectRef } from "#store";
import { auditor } from "./auditor.ts";
import { copyClip, lockLikeClip, withCopyTask } from "./copy-clip.ts";
import { type CopyTask, endCopyTask, holdCopyTask } from "./copy-tasks.ts";
import type { RepairDependencies } from "./dependencies.ts";

/**
 * Damage was found in a clip's stored bytes: raises the alarm, and puts them right from the replica when there is a good
 * copy. The copy is read and compared with the sealed digests, written to the primary store under a fresh key, read back
 * there, recorded, and locked as long as before. The alarm is cleared with the record of the repair.
 * @returns whether it is repaired; false: there is no copy, or it is not good either.
 * @throws DocksealError `store-unavailable`: it is not known whether it can be repaired; try again.
 */
export async function repairClip(
  deps: RepairDependencies,
  clip: ClipRecord,
  reason: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { db, replica } = deps;
  const detail = `original of clip ${clip.id}: ${reason}. Find out what changed the store.`;
  if (await raiseAlarm(db, { kind: "fixity-damage", subject: clip.id, detail })) {
    deps.log.error({ clipId: clip.id, reason }, "stored bytes are damaged");
  }
  if (replica === undefined) return false;
  const { location } = replica;
  const copy = await copyOf(db, clip.id, location);
  if (copy === undefined) return false;
  const replicaStore = await replica.open();
  const repaired = await withCopyTask(deps, clip.id, "repair", async (task) => {
    // Whoever had the task before may have come as far as the record, or have ended it a moment ago.
    if (await finishRecorded(deps, task)) return true;
    if ((await clipRecord(db, clip.id)).generation > clip.generation) {
      await giveUp(deps, task);
      return true;
    }
    if (!(await lookAtStored(replica.url, copy, clip, { signal })).intact) {
      await raiseAlarm(db, {
        kind: "replica-damage",
        subject: clip.id,
        detail: `the copy of clip ${clip.id} in ${location} is not what was sealed`,
      });
      await giveUp(deps, task);
      return false;
    }
    const from = { store: replicaStore, url: replica.url, ref: copy };
    const ref = await copyClip(clip, from, { store: deps.store, url: deps.storeUrl }, task.objectKey, signal);
    await recordRepair(db, task, clip, { ref, reason, copiedFrom: location });
    await lockLikeClip(deps.store, ref, clip);
    await endCopyTask(db, task);
    deps.log.warn({ clipId: clip.id, from: location }, "stored bytes were repaired from the replica");
    return true;
  });
  if (repaired === undefined) {
    const busy = `clip ${clip.id} is being repaired by another process`;
    throw new DocksealError("store-unavailable", { detail: busy, retryAfterSeconds: deps.settings.leaseSeconds });
  }
  return repaired;
}

/** Where a replica has a clip. */
export async function copyOf(db: Database, clipId: string, location: string): Promise<ObjectRef | undefined> {
  const row = await db
    .selectFrom("replicaCopy")
    .select(["objectKey", "versionId"])
    .where("clipId", "=", clipId)
    .where("location", "=", location)
    .executeTakeFirst();
  return row === undefined ? undefined : { key: row.objectKey, versionId: row.versionId };
}

function recordRepair(
  db: Database,
  task: CopyTask,
  clip: ClipRecord,
  made: { ref: ObjectRef; reason: string; copiedFrom: string },
): Promise<void> {
  const { ref, reason, copiedFrom } = made;
  return inTransaction(db, async (tx) => {
    const state = await holdClip(tx, clip.id);
    if (!(await holdCopyTask(tx, task))) throw new Error(`the repair of clip ${clip.id} was taken over`);
    const generation = clip.generation + 1;
    const { sizeBytes, sha256, sm3, chunkRoot } = clip;
    const eventId = await appendEvent(tx, {
      type: "clip.repaired",
      clipId: clip.id,
      actor: auditor,
      details: { generation, reason, copiedFrom, stored: { ...ref }, sizeBytes, sha256, sm3, chunkRoot },
    });
    // Its key is (clip, generation): a second repair of the same damage fails here.
    await addRepair(tx, clip.id, ref, { generation, copiedFrom, reason, eventId });
    await clearAlarm(tx, { kind: "fixity-damage", subject: clip.id });
    if (state !== "quarantined") return;
    // It went there while no copy could be had. What was given up then is to be done now.
    await markRestored(tx, clip.id);
    for (const step of ["transcode", "bind"] as const) await replanStep(tx, clip.id, step, ["failed"], eventId);
  });
}

/** Ends a repair that was recorded before its process died. @returns false when it was not. */
async function finishRecorded(deps: RepairDependencies, task: CopyTask): Promise<boolean> {
  const clip = await clipRecord(deps.db, task.clipId);
  if (clip.objectKey !== task.objectKey) return false;
  await lockLikeClip(deps.store, { key: clip.objectKey, versionId: clip.versionId }, clip);
  await endCopyTask(deps.db, task);
  return true;
}

async function giveUp({ db, store }: { db: Database; store: EvidenceStore }, task: CopyTask): Promise<void> {
  await store.discard(task.objectKey);
  await endCopyTask(db, task);
}

/** Goes on with a repair whose process died: what is recorded is locked, what is not wanted any more is removed. */
export async function resumeRepair(deps: RepairDependencies, clipId: string, signal: AbortSignal): Promise<void> {
  const clip = await clipRecord(deps.db, clipId);
  const ref = { key: clip.objectKey, versionId: clip.versionId };
  const { intact, found } = await lookAtStored(deps.storeUrl, ref, clip, { signal });
  if (!intact) {
    await repairClip(deps, clip, found === null ? reasons.missing : reasons.differs, signal);
    return;
  }
  await withCopyTask(deps, clipId, "repair", async (task) => {
    if (!(await finishRecorded(deps, task))) await giveUp(deps, task);
  });
}
