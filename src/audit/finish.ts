import { sql } from "kysely";
import { appendEvent, clearAlarm, raiseAlarm } from "#custody";
import { inTransaction, type Tx } from "#db";
import { auditor } from "./auditor.ts";
import type { AuditDependencies } from "./dependencies.ts";
import { isLate, type OpenRun, type RunKind } from "./open-runs.ts";

/**
 * Ends a run when everything that it was handed is read, or its time is over. It is finished when it read as many objects
 * as were counted at its start, and failed when it read fewer, or more.
 * Otherwise, and when another process is at it: nothing.
 */
export function endRun(deps: AuditDependencies, run: OpenRun): Promise<void> {
  return inTransaction(deps.db, async (tx) => {
    const row = await tx
      .selectFrom("fixityRun")
      .select(["nextIndex", "expectedCount"])
      .where("id", "=", run.id)
      .where("state", "=", "running")
      .forUpdate()
      .skipLocked()
      .executeTakeFirst();
    if (row === undefined) return;
    const late = isLate(run, deps.clock.now());
    const handedOut = row.nextIndex >= run.scope.logSize;
    if (!late && (!handedOut || (await hasClaims(tx, run.id)))) return;
    const unreadable = await noteUnreadable(tx, run.id);
    const read = await readCount(tx, run.id);
    const expected = row.expectedCount ?? 0;
    if (read !== expected) {
      const why = late ? "its time was over" : unreadable > 0 ? "some could not be read" : "nothing was left to read";
      const failure = `${read} of ${expected} objects were read when ${why}`;
      await failRun(tx, run, failure);
      deps.log.error({ runId: run.id, read, expected, unreadable }, "an audit is incomplete");
      return;
    }
    await tx
      .updateTable("fixityRun")
      .set({ state: "finished", finishedAt: sql<string>`clock_timestamp()` })
      .where("id", "=", run.id)
      .execute();
    await noteFinished(tx, run.id);
    await clearAlarm(tx, { kind: "fixity-incomplete", subject: run.kind });
  });
}

/** Ends a run as failed, and raises the alarm; the next complete run of its kind clears it. */
export async function failRun(tx: Tx, run: { id: string; kind: RunKind }, failure: string): Promise<void> {
  await tx
    .updateTable("fixityRun")
    .set({ state: "failed", finishedAt: sql<string>`clock_timestamp()`, failure })
    .where("id", "=", run.id)
    .where("state", "in", ["waiting", "running"])
    .executeTakeFirstOrThrow();
  await noteFinished(tx, run.id);
  const detail = `audit ${run.id} (${run.kind}) failed: ${failure}. See GET /api/v1/audits/${run.id}.`;
  await raiseAlarm(tx, { kind: "fixity-incomplete", subject: run.kind, detail });
}

async function hasClaims(tx: Tx, runId: string): Promise<boolean> {
  const row = await tx
    .selectFrom("fixityClaim")
    .select("objectId")
    .where("runId", "=", runId)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** What could not be read until the end is named with the reason of the last try. It counts as not read. */
async function noteUnreadable(tx: Tx, runId: string): Promise<number> {
  const { rows } = await sql`
    WITH left_over AS (
      DELETE FROM fixity_claim WHERE run_id = ${runId} RETURNING run_id, object_id, clip_id, role, last_error)
    INSERT INTO fixity_item (run_id, object_id, clip_id, role, outcome, reason)
    SELECT run_id, object_id, clip_id, role, 'unreadable', coalesce(last_error, 'it was not read in time') FROM left_over
    RETURNING object_id`.execute(tx);
  if (rows.length > 0) {
    await tx.updateTable("fixityRun").set({ unreadableCount: rows.length }).where("id", "=", runId).execute();
  }
  return rows.length;
}

/** Counted from what is recorded object by object, not from the running figures. */
async function readCount(tx: Tx, runId: string): Promise<number> {
  const row = await tx
    .selectFrom("fixityItem")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("runId", "=", runId)
    .where("outcome", "<>", "unreadable")
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

async function noteFinished(tx: Tx, runId: string): Promise<void> {
  const { caseId, ...figures } = await tx
    .selectFrom("fixityRun")
    .select(["kind", "state", "failure", "seed", "checkpointSize", "caseId", "expectedCount", "expectedBytes"])
    .select(["readCount", "readBytes", "intactCount", "repairedCount", "damagedCount", "missingCount"])
    .select(["unlockedCount", "unreadableCount"])
    .where("id", "=", runId)
    .executeTakeFirstOrThrow();
  await appendEvent(tx, {
    type: "audit.finished",
    subject: { run: runId, ...(caseId === null ? {} : { case: caseId }) },
    actor: auditor,
    details: figures,
  });
}
