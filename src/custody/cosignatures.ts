import { sql } from "kysely";
import { type Database, inTransaction, type Tx } from "#db";
import { lastCheckpoint, type SignedHead } from "./checkpoints.ts";
import type { Witnesses } from "./witness-file.ts";

/** Keeps a line that was checked. Twice is once. */
export async function keepCosignature(db: Database, size: number, vkey: string, line: string): Promise<void> {
  await db
    .insertInto("logCosignature")
    .values({ size, witness: vkey, line })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Lines that may still make a checkpoint a witnessed one: those before are of rounds that ended long ago. */
const newest = 1000;

/**
 * Makes witnessed checkpoints of those that enough witnesses cosigned, oldest first, beyond those that there are. In a
 * transaction of its own after the lines were committed: of two who kept a line each at once, the later sees both.
 */
export function markWitnessed(db: Database, { threshold, list }: Witnesses): Promise<void> {
  return inTransaction(db, async (tx) => {
    // "dock" and "witn": one at a time, so that sizes only grow
    await sql`SELECT pg_advisory_xact_lock(1685021547, 2003395694)`.execute(tx);
    const vkeys = list.map(({ vkey }) => vkey);
    await sql`
      INSERT INTO log_witnessed (size, note, threshold)
      SELECT size, note || string_agg(line, '' ORDER BY array_position(${vkeys}::text[], witness)), ${threshold}::integer
      FROM (SELECT size, witness, line FROM log_cosignature WHERE witness = ANY (${vkeys}::text[])
        ORDER BY size DESC LIMIT ${newest}::integer) AS newest
      JOIN log_checkpoint USING (size)
      WHERE size > (SELECT coalesce(max(size), 0) FROM log_witnessed)
      GROUP BY size, note HAVING count(*) >= ${threshold}::integer ORDER BY size`.execute(tx);
  });
}

/** The first witnessed checkpoint of more entries than `index`. Its note carries the cosignatures that made it one. */
export function firstWitnessed(db: Database | Tx, index: number): Promise<{ size: number; note: string } | undefined> {
  return db
    .selectFrom("logWitnessed")
    .select(["size", "note"])
    .where("size", ">", index)
    .orderBy("size")
    .limit(1)
    .executeTakeFirst();
}

/** The newest checkpoint, with whatever cosignatures it has, as it is published. */
export async function publishedCheckpoint(db: Database): Promise<SignedHead | undefined> {
  const head = await lastCheckpoint(db);
  if (head === undefined) return undefined;
  const lines = await db
    .selectFrom("logCosignature")
    .select("line")
    .where("size", "=", head.size)
    .orderBy("receivedAt")
    .execute();
  return { ...head, note: head.note + lines.map(({ line }) => line).join("") };
}

export interface WitnessStanding {
  readonly vkey: string;
  /** Name and id of its key. */
  readonly name: string;
  /** Largest size that it cosigned. */
  readonly size: number;
  readonly receivedAt: string;
}

/** How far each witness came, and up to which size the log is witnessed (0: nowhere). */
export async function witnessFigures(
  db: Database | Tx,
): Promise<{ witnessedSize: number; standings: readonly WitnessStanding[] }> {
  // From one witness to the next along the index: the table has a row for each second.
  const { rows: standings } = await sql<WitnessStanding>`
    WITH RECURSIVE found AS (
      (SELECT witness FROM log_cosignature ORDER BY witness LIMIT 1)
      UNION ALL
      SELECT (SELECT witness FROM log_cosignature WHERE witness > found.witness ORDER BY witness LIMIT 1)
      FROM found WHERE found.witness IS NOT NULL)
    SELECT witness AS vkey, substring(witness FROM '^[^+]*[+][^+]*') AS name, size, received_at
    FROM found, LATERAL (
      SELECT size, received_at FROM log_cosignature WHERE witness = found.witness ORDER BY size DESC LIMIT 1) AS last
    ORDER BY witness`.execute(db);
  const { rows } = await sql<{ size: number }>`SELECT coalesce(max(size), 0) AS size FROM log_witnessed`.execute(db);
  return { witnessedSize: rows[0]?.size ?? 0, standings };
}
