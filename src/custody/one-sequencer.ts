import { sql } from "kysely";
import type { Tx } from "#db";

/**
 * Makes the transaction the only one that sequences or signs, however many processes try: an advisory lock, "dock" and
 * "seal" as two 32-bit numbers, which ends with the transaction.
 * @returns false when another one has it.
 */
export async function isSequencer(tx: Tx): Promise<boolean> {
  const { rows } = await sql<{ mine: boolean }>`
    SELECT pg_try_advisory_xact_lock(1685021547, 1936023916) AS mine`.execute(tx);
  return rows[0]?.mine === true;
}
