import { sql } from "kysely";
import { appendEvent } from "#custody";
import { type Database, inTransaction } from "#db";
import { clipRecord, holdClip } from "#ingest";
import { isProblem } from "#kernel";
import { verifyStored } from "#seal";
import { auditor } from "./auditor.ts";
import { copyClip, lockLikeClip, withCopyTask } from "./copy-clip.ts";
import { endCopyTask, freeCopyTasks, holdCopyTask } from "./copy-tasks.ts";
import type { AuditDependencies, Replica } from "./dependencies.ts";
import { copyOf, repairClip, resumeRepair } from "./repair.ts";

/**
 * Copies what the replica lacks, and goes on with copies whose process died.
 * @returns how many clips were copied.
 */
export async function replicateRound(deps: AuditDependencies, signal: AbortSignal, limit = 20): Promise<number> {
  const { db, replica } = deps;
  if (replica === undefined) return 0;
  const { location } = replica;
  const free = await freeCopyTasks(db, limit);
  for (const { clipId } of free.filter(({ direction }) => direction === "repair")) {
    if (signal.aborted) return 0;
    // It waits for its next try then; the others must not wait with it.
    await resumeRepair(deps, clipId, signal).catch((err: unknown) =>
      deps.log.warn({ err, clipId }, "a repair could not be continued"),
    );
  }
  const missing = free.filter(({ direction }) => direction === "replicate").map(({ clipId }) => clipId);
  missing.push(...(await withoutCopy(db, location, limit)));
  let copied = 0;
  for (const clipId of missing) {
    if (signal.aborted) break;
    if (await replicateClip(deps, replica, clipId, signal)) copied += 1;
  }
  return copied;
}

/** Sealed clips of which the replica has no copy, and nobody makes one. */
async function withoutCopy(db: Database, location: string, limit: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM clip WHERE state = 'sealed'
      AND NOT EXISTS (SELECT FROM replica_copy WHERE replica_copy.clip_id = clip.id AND location = ${location})
      AND NOT EXISTS (SELECT FROM copy_task WHERE copy_task.clip_id = clip.id AND direction = 'replicate')
    ORDER BY id LIMIT ${limit}`.execute(db);
  return rows.map(({ id }) => id);
}

/** @returns whether this call made the copy. */
async function replicateClip(
  deps: AuditDependencies,
  replica: Replica,
  clipId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { db, store, storeUrl } = deps;
  const target = { store: await replica.open(), url: replica.url };
  const { location } = replica;
  try {
    const made = await withCopyTask(deps, clipId, "replicate", async (task) => {
      const clip = await clipRecord(db, clipId);
      // The copy that was missing a moment ago may be there by now: whoever made it ended the task together with its record.
      if (clip.state !== "sealed" || (await copyOf(db, clipId, location)) !== undefined) {
        await target.store.discard(task.objectKey);
        await endCopyTask(db, task);
        return false;
      }
      const from = { store, url: storeUrl, ref: { key: clip.objectKey, versionId: clip.versionId } };
      const ref = await copyClip(clip, from, target, task.objectKey, signal);
      // The key is the task's for ever, so that a lock can be set before the record without leaving anything behind.
      await lockLikeClip(target.store, ref, clip);
      return inTransaction(db, async (tx) => {
        await holdClip(tx, clipId);
        if (!(await holdCopyTask(tx, task))) return false;
        const { sizeBytes, sha256 } = clip;
        const details = { location, stored: { ...ref }, sizeBytes, sha256 };
        const eventId = await appendEvent(tx, { type: "clip.replicated", clipId, actor: auditor, details });
        await tx
          .insertInto("replicaCopy")
          .values({ clipId, location, objectKey: ref.key, versionId: ref.versionId, eventId })
          .executeTakeFirstOrThrow();
        await tx
          .deleteFrom("copyTask")
          .where("clipId", "=", clipId)
          .where("direction", "=", "replicate")
          .executeTakeFirstOrThrow();
        return true;
      });
    });
    return made === true;
  } catch (error) {
    if (signal.aborted) return false;
    deps.log.warn({ err: error, clipId }, "a clip could not be copied to the replica");
    if (isProblem(error, "object-differs") || isProblem(error, "object-missing")) {
      // The original itself is looked at again as a whole: when it is damaged that says so and puts it into quarantine.
      const repair = (...args: [clip: Parameters<typeof repairClip>[1], reason: string, signal: AbortSignal]) =>
        repairClip(deps, ...args);
      const onQuarantine = (id: string, reason: string): void =>
        deps.log.error({ clipId: id, reason }, "clip quarantined");
      await verifyStored({ db, storeUrl, onQuarantine, repair }, clipId, auditor, signal);
    }
    return false;
  }
}

/** How complete the replica is, for `doctor` and `/metrics`. */
export async function replicaFigures(db: Database, location: string): Promise<{ sealed: number; copied: number }> {
  const { rows } = await sql<{ sealed: number; copied: number }>`
    SELECT (SELECT count(*) FROM clip WHERE state = 'sealed') AS sealed,
      (SELECT count(*) FROM replica_copy JOIN clip ON clip.id = clip_id WHERE state = 'sealed' AND location = ${location}) AS copied`.execute(
    db,
  );
  return { sealed: Number(rows[0]?.sealed ?? 0), copied: Number(rows[0]?.copied ?? 0) };
}
