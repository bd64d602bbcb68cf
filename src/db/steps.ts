import { sql } from "kysely";
import { type Database, inTransaction, type Tx } from "./database.ts";

/** What is done to every clip after it came in; one job kind of the queue each. */
export const steps = ["hash", "timestamp", "transcode", "bind"] as const;
export type Step = (typeof steps)[number];

/** A row of the outbox: a step that waits to become a job. */
export interface OutboxRow {
  readonly id: number;
  readonly clipId: string;
  readonly step: Step;
  /** Grows each time the step is queued anew, so that a job id is never used twice. */
  readonly generation: number;
  readonly traceId: string;
}

/** Puts steps of a clip before the workers, in the caller's transaction. A step that is planned already stays as it is. */
export async function planSteps(tx: Tx, clipId: string, wanted: readonly Step[], traceId: string): Promise<void> {
  for (const step of wanted) {
    const added = await tx
      .insertInto("clipStep")
      .values({ clipId, step })
      .onConflict((conflict) => conflict.columns(["clipId", "step"]).doNothing())
      .returning("generation")
      .executeTakeFirst();
    if (added === undefined) continue;
    await tx.insertInto("outbox").values({ clipId, step, generation: added.generation, traceId }).execute();
  }
}

/**
 * Marks a step as done (or as failed for good) in the transaction that holds its outcome.
 * @returns false when it is no longer pending: then another run did it, and this one must change nothing.
 */
export async function finishStep(
  tx: Tx,
  clipId: string,
  step: Step,
  outcome: "done" | "failed" = "done",
): Promise<boolean> {
  const row = await tx
    .updateTable("clipStep")
    .set({ state: outcome, doneAt: sql<string>`clock_timestamp()` })
    .where("clipId", "=", clipId)
    .where("step", "=", step)
    .where("state", "=", "pending")
    .returning("step")
    .executeTakeFirst();
  return row !== undefined;
}

/** Marks everything that is still to be done to a clip as failed for good: it is in quarantine. */
export async function failPendingSteps(tx: Tx, clipId: string): Promise<void> {
  await tx
    .updateTable("clipStep")
    .set({ state: "failed", doneAt: sql<string>`clock_timestamp()` })
    .where("clipId", "=", clipId)
    .where("state", "=", "pending")
    .execute();
}

/** A cheap look before long work begins; the real gate is {@link finishStep}. */
export async function stepIsPending(db: Database, clipId: string, step: Step): Promise<boolean> {
  const row = await db
    .selectFrom("clipStep")
    .select("state")
    .where("clipId", "=", clipId)
    .where("step", "=", step)
    .executeTakeFirst();
  return row?.state === "pending";
}

/** Says that a step is being worked on, so that the reconciler leaves it alone. */
export async function touchStep(db: Database, clipId: string, step: Step): Promise<void> {
  await db
    .updateTable("clipStep")
    .set({ touchedAt: sql<string>`clock_timestamp()` })
    .where("clipId", "=", clipId)
    .where("step", "=", step)
    .where("state", "=", "pending")
    .execute();
}

/** Keeps the last failure of a step for `doctor`; the step stays pending. */
export async function noteStepError(db: Database, clipId: string, step: Step, message: string): Promise<void> {
  await db
    .updateTable("clipStep")
    .set({ lastError: message.slice(0, 2000) })
    .where("clipId", "=", clipId)
    .where("step", "=", step)
    .execute();
}

/**
 * Hands waiting outbox rows to `send` and removes them once it resolved. A crash in between sends them again:
 * every step may run twice. No transaction is open while `send` talks to the queue.
 * @returns how many rows were sent.
 */
export async function dispatchOutbox(
  db: Database,
  send: (rows: OutboxRow[]) => Promise<void>,
  limit = 500,
): Promise<number> {
  const rows = (await db
    .selectFrom("outbox")
    .select(["id", "clipId", "step", "generation", "traceId"])
    .orderBy("id")
    .limit(limit)
    .execute()) as OutboxRow[];
  if (rows.length === 0) return 0;
  await send(rows);
  await db
    .deleteFrom("outbox")
    .where(
      "id",
      "in",
      rows.map((row) => row.id),
    )
    .execute();
  return rows.length;
}

/**
 * Finds every step that should be done by now and is not, and queues it again: what makes Redis disposable. A step that
 * still waits in the outbox is not lost, the queue is away: it gets no second row, however long that lasts. One that was
 * queued again is given longer each time, up to twelve times as long, so that a backlog does not breed jobs.
 * @returns how many steps were queued again.
 */
export function requeueOverdueSteps(db: Database, overdueSeconds: number, traceId: string): Promise<number> {
  return inTransaction(db, async (tx) => {
    const { rows } = await sql<{ clipId: string; step: Step; generation: number }>`
      UPDATE clip_step SET generation = generation + 1, touched_at = clock_timestamp()
      WHERE (clip_id, step) IN (
        SELECT clip_id, step FROM clip_step
        WHERE state = 'pending' AND touched_at < clock_timestamp() - make_interval(secs => ${overdueSeconds} * least(generation, 12))
          AND NOT EXISTS (SELECT FROM outbox WHERE outbox.clip_id = clip_step.clip_id AND outbox.step = clip_step.step)
        ORDER BY touched_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
      RETURNING clip_id, step, generation`.execute(tx);
    if (rows.length > 0) {
      await tx
        .insertInto("outbox")
        .values(rows.map((row) => ({ ...row, traceId })))
        .execute();
    }
    return rows.length;
  });
}
