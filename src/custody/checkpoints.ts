import { sql } from "kysely";
import type { Database, Tx } from "#db";

/** A signed head of the log. */
export interface SignedHead {
  readonly size: number;
  readonly root: Buffer;
  /** The signed note. */
  readonly note: string;
}

/** A head that somebody outside of this installation has fixed in time. */
export interface FixedCheckpoint extends SignedHead {
  readonly fixedBy: "timestamp" | "witnesses";
  /** For `timestamp` the RFC 3161 token over the note, DER. For `witnesses` the cosignature lines that belong after it. */
  readonly proof: Buffer;
}

/** Entries that were committed. */
export async function logSize(tx: Database | Tx): Promise<number> {
  const { rows } = await sql<{ size: number }>`SELECT coalesce(max(index) + 1, 0) AS size FROM log_entry`.execute(tx);
  return rows[0]?.size ?? 0;
}

/** The newest signed checkpoint. */
export function lastCheckpoint(db: Database | Tx): Promise<SignedHead | undefined> {
  return db
    .selectFrom("logCheckpoint")
    .select(["size", "root", "note"])
    .orderBy("size", "desc")
    .limit(1)
    .executeTakeFirst();
}

/** Authorities that timestamped checkpoints, each with its newest token's time, the newest first. */
export async function authorityStandings(
  db: Database,
): Promise<{ authority: string; independent: boolean; lastTokenAt: string }[]> {
  const { rows } = await sql<{ authority: string; independent: boolean; lastTokenAt: string }>`
    SELECT authority, bool_and(independent) AS independent, max(generated_at) AS last_token_at
    FROM log_checkpoint_timestamp GROUP BY authority ORDER BY last_token_at DESC, authority`.execute(db);
  return rows;
}

/**
 * The first checkpoint signed at or after `since` that is fixed in time, by a timestamp or by enough witnesses.
 * @returns undefined while there is none.
 */
export async function fixedCheckpoint(db: Database | Tx, since: Date): Promise<FixedCheckpoint | undefined> {
  const timestamped = await db
    .selectFrom("logCheckpointTimestamp")
    .innerJoin("logCheckpoint", "logCheckpoint.size", "logCheckpointTimestamp.size")
    .select(["logCheckpoint.size", "root", "note", "token"])
    .where("signedAt", ">=", since.toISOString())
    .orderBy("logCheckpoint.size")
    .limit(1)
    .executeTakeFirst();
  const witnessed = await db
    .selectFrom("logWitnessed")
    .innerJoin("logCheckpoint", "logCheckpoint.size", "logWitnessed.size")
    .select(["logCheckpoint.size", "root", "logCheckpoint.note", "logWitnessed.note as cosigned"])
    .where("signedAt", ">=", since.toISOString())
    .orderBy("logCheckpoint.size")
    .limit(1)
    .executeTakeFirst();
  if (witnessed !== undefined && (timestamped === undefined || witnessed.size <= timestamped.size)) {
    const { cosigned, ...head } = witnessed;
    return { ...head, fixedBy: "witnesses", proof: Buffer.from(cosigned.slice(head.note.length)) };
  }
  if (timestamped === undefined) return undefined;
  const { token, ...head } = timestamped;
  return { ...head, fixedBy: "timestamp", proof: token };
}
