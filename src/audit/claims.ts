import { sql } from "kysely";
import { type Database, inTransaction, type Tx } from "#db";
import { newId } from "#kernel";
import type { OpenRun } from "./open-runs.ts";
import { type AuditObject, type Feed, feedFromLog } from "./scope.ts";

/** An object of a run that this process reads now. While it gives signs of life nobody else takes it. */
export interface Claim extends AuditObject {
  readonly runId: string;
  readonly lease: string;
  readonly attempts: number;
}

/**
 * The next object of a run for this process: one that waits, or one whose reader died.
 * @returns undefined when there is none just now: all are read, or others read the last ones, or wait for another try.
 */
export async function nextClaim(
  db: Database,
  run: OpenRun,
  leaseSeconds: number,
  feed: Feed = feedFromLog,
): Promise<Claim | undefined> {
  for (;;) {
    const claim = await takeClaim(db, run.id, leaseSeconds);
    if (claim !== undefined) return claim;
    if (!(await feedMore(db, run, feed))) return undefined;
  }
}

async function takeClaim(db: Database, runId: string, leaseSeconds: number): Promise<Claim | undefined> {
  const lease = newId();
  const { rows } = await sql<Omit<Claim, "lease">>`
    UPDATE fixity_claim
    SET lease = ${lease}, attempts = attempts + 1, free_at = clock_timestamp() + make_interval(secs => ${leaseSeconds})
    WHERE (run_id, object_id) IN (
      SELECT run_id, object_id FROM fixity_claim WHERE run_id = ${runId} AND free_at <= clock_timestamp()
      ORDER BY free_at, object_id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING run_id, object_id, clip_id, role, size_bytes, attempts`.execute(db);
  return rows[0] === undefined ? undefined : { ...rows[0], lease };
}

/** Puts the next objects of a run before its readers. One process at a time does it. @returns false: nothing came. */
function feedMore(db: Database, run: OpenRun, feed: Feed): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    const row = await tx
      .selectFrom("fixityRun")
      .select("nextIndex")
      .where("id", "=", run.id)
      .where("state", "=", "running")
      .forUpdate()
      .skipLocked()
      .executeTakeFirst();
    if (row === undefined || row.nextIndex >= run.scope.logSize) return false;
    const { objects, nextIndex } = await feed(tx, run.scope, row.nextIndex);
    if (objects.length > 0) {
      await tx
        .insertInto("fixityClaim")
        .values(objects.map((object) => ({ runId: run.id, ...object })))
        .execute();
    }
    await tx.updateTable("fixityRun").set({ nextIndex }).where("id", "=", run.id).execute();
    return true;
  });
}

/** A sign of life. */
export async function keepClaim(db: Database, claim: Claim, leaseSeconds: number): Promise<void> {
  await ofClaim(db.updateTable("fixityClaim"), claim)
    .set({ freeAt: sql<string>`clock_timestamp() + make_interval(secs => ${leaseSeconds})` })
    .execute();
}

/** Nothing could be learnt this time: somebody tries again after that many seconds. */
export async function putBackClaim(
  db: Database,
  claim: Claim,
  after: { seconds: number; reason: string | null },
): Promise<void> {
  await ofClaim(db.updateTable("fixityClaim"), claim)
    .set({
      lease: null,
      freeAt: sql<string>`clock_timestamp() + make_interval(secs => ${after.seconds})`,
      ...(after.reason === null ? {} : { lastError: after.reason.slice(0, 2000) }),
    })
    .execute();
}

/** Ends a claim in the transaction that records its finding. @returns false when it is another's by now: change nothing. */
export async function endClaim(tx: Tx, claim: Claim): Promise<boolean> {
  const ended = await tx
    .deleteFrom("fixityClaim")
    .where("runId", "=", claim.runId)
    .where("objectId", "=", claim.objectId)
    .where("lease", "=", claim.lease)
    .executeTakeFirstOrThrow();
  return Number(ended.numDeletedRows) === 1;
}

function ofClaim(update: ReturnType<typeof claimUpdate>, claim: Claim): ReturnType<typeof claimUpdate> {
  return update
    .where("runId", "=", claim.runId)
    .where("objectId", "=", claim.objectId)
    .where("lease", "=", claim.lease);
}
const claimUpdate = (db: Database) => db.updateTable("fixityClaim");
