import { sql } from "kysely";
import type { Database, Tx } from "#db";
import { newId } from "#kernel";

/** A copy of one clip under way in this process: into the replica, or back out of it. */
export interface CopyTask {
  readonly clipId: string;
  readonly direction: "replicate" | "repair";
  /** Used for this copy alone, and by whoever goes on with it. */
  readonly objectKey: string;
  readonly lease: string;
  readonly attempts: number;
}

/**
 * Takes the copy of a clip in hand: a new one, or the one that a process left when it died.
 * @returns undefined while another process is at it, or while it waits for its next try.
 */
export async function takeCopyTask(
  db: Database,
  clipId: string,
  direction: CopyTask["direction"],
  leaseSeconds: number,
): Promise<CopyTask | undefined> {
  const key = `originals/${clipId.slice(0, 8)}/${clipId}.${newId()}`;
  const lease = newId();
  const { rows } = await sql<{ objectKey: string; attempts: number }>`
    INSERT INTO copy_task (clip_id, direction, object_key, lease, attempts, free_at)
    VALUES (${clipId}, ${direction}, ${key}, ${lease}, 1, clock_timestamp() + make_interval(secs => ${leaseSeconds}))
    ON CONFLICT (clip_id, direction) DO UPDATE
      SET lease = excluded.lease, free_at = excluded.free_at, attempts = copy_task.attempts + 1
      WHERE copy_task.free_at <= clock_timestamp()
    RETURNING object_key, attempts`.execute(db);
  return rows[0] === undefined ? undefined : { clipId, direction, lease, ...rows[0] };
}

/** A sign of life. */
export async function keepCopyTask(db: Database, task: CopyTask, leaseSeconds: number): Promise<void> {
  await sql`UPDATE copy_task SET free_at = clock_timestamp() + make_interval(secs => ${leaseSeconds})
    WHERE clip_id = ${task.clipId} AND direction = ${task.direction} AND lease = ${task.lease}`.execute(db);
}

/** It did not work this time: somebody goes on after that many seconds. */
export async function putBackCopyTask(
  db: Database,
  task: CopyTask,
  after: { seconds: number; reason: string },
): Promise<void> {
  await sql`UPDATE copy_task SET lease = NULL, last_error = ${after.reason.slice(0, 2000)},
      free_at = clock_timestamp() + make_interval(secs => ${after.seconds})
    WHERE clip_id = ${task.clipId} AND direction = ${task.direction} AND lease = ${task.lease}`.execute(db);
}

/** Holds the task until the transaction ends. @returns false when another process has taken it: change nothing then. */
export async function holdCopyTask(tx: Tx, task: CopyTask): Promise<boolean> {
  const row = await tx
    .selectFrom("copyTask")
    .select("clipId")
    .where("clipId", "=", task.clipId)
    .where("direction", "=", task.direction)
    .where("lease", "=", task.lease)
    .forUpdate()
    .executeTakeFirst();
  return row !== undefined;
}

/** The copy stands where it belongs, or is not wanted any more and nothing of it is left. */
export async function endCopyTask(db: Database, task: CopyTask): Promise<void> {
  await db
    .deleteFrom("copyTask")
    .where("clipId", "=", task.clipId)
    .where("direction", "=", task.direction)
    .where("lease", "=", task.lease)
    .execute();
}

/** Copies whose process died or whose next try is due. */
export function freeCopyTasks(
  db: Database,
  limit: number,
): Promise<{ clipId: string; direction: string; lastError: string | null }[]> {
  return db
    .selectFrom("copyTask")
    .select(["clipId", "direction", "lastError"])
    .where("freeAt", "<=", sql<string>`clock_timestamp()`)
    .orderBy("freeAt")
    .limit(limit)
    .execute();
}
