import { sql } from "kysely";
import { type Database, inTransaction, type Tx } from "./database.ts";

/** What is done to every clip after it came in; one job kind of the queue each. */
export const steps = ["hash", "timestamp", "transcode", "bind"] as const;
export type Step = (typeof steps)[number];

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
 * Puts a step that is over, with one of those outcomes, before the workers once more, in the caller's transaction.
 * @returns false when it is not: what is to be done will be done anyway.
 */
export async function replanStep(
  tx: Tx,
  clipId: string,
  step: Step,
  outcomes: readonly ("done" | "failed")[],
  traceId: string,
): Promise<boolean> {
  const again = await tx
    .updateTable("clipStep")
    .set({
      state: "pending",
      generation: sql<number>`generation + 1`,
      touchedAt: sql<string>`clock_timestamp()`,
      doneAt: null,
      lastError: null,
    })
    .where("clipId", "=", clipId)
    .where("step", "=", step)
    .where("state", "in", outcomes)
    .returning("generation")
    .executeTakeFirst();
  if (again === undefined) return false;
  await tx.insertInto("outbox").values({ clipId, step, generation: again.generation, traceId }).execute();
  return true;
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

/** Keeps the last failure of a step, for whoever asks what the clip waits for, and counts it; the step stays pending. */
export async function noteStepError(db: Database, clipId: string, step: Step, message: string): Promise<void> {
  await db
    .updateTable("clipStep")
    .set({ lastError: message.slice(0, 2000), tries: sql<number>`tries + 1` })
    .where("clipId", "=", clipId)
    .where("step", "=", step)
    .execute();
}

/** A step of a clip that is not done yet. */
export interface PendingStep {
  readonly step: Step;
  /** When it was put before the workers. */
  readonly since: string;
  /** How often it was tried and failed. */
  readonly tries: number;
  /** Why, the last time. */
  readonly lastError: string | null;
}

/** What is still to be done to a clip, in the order in which it was planned. */
export async function pendingSteps(db: Database, clipId: string): Promise<PendingStep[]> {
  const rows = await db
    .selectFrom("clipStep")
    .select(["step", "plannedAt as since", "tries", "lastError"])
    .where("clipId", "=", clipId)
    .where("state", "=", "pending")
    .orderBy("plannedAt")
    .orderBy("step")
    .execute();
  return rows as PendingStep[];
}

/** Steps of one kind that are not done yet, of all clips. */
export interface PendingFigures {
  readonly step: Step;
  readonly count: number;
  /** Of these, those that were tried and failed. */
  readonly failedCount: number;
  /** When the oldest was put before the workers. */
  readonly oldestSince: string;
  /** Why the one failed that was tried last. */
  readonly lastError: string | null;
}

/** What waits for workers, by kind of step; a kind of which none waits is left out. */
export async function pendingFigures(db: Database): Promise<PendingFigures[]> {
  const { rows } = await sql<PendingFigures>`
    SELECT step, count(*) AS count, count(*) FILTER (WHERE tries > 0) AS failed_count, min(planned_at) AS oldest_since,
      (array_agg(last_error ORDER BY touched_at DESC) FILTER (WHERE last_error IS NOT NULL))[1] AS last_error
    FROM clip_step WHERE state = 'pending' GROUP BY step ORDER BY step`.execute(db);
  return rows;
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
