import { sql } from "kysely";
import type { Test } from "tap";
import type { Database } from "#db";

/**
 * Lets nobody write into a table until it is let go, or the test ends: whoever is to write is seen waiting.
 * @returns lets it go.
 */
export async function heldTable(t: Pick<Test, "teardown">, db: Database, table: string): Promise<() => Promise<void>> {
  const held = await db.startTransaction().execute();
  const letGo = async (): Promise<void> => {
    if (!held.isRolledBack) await held.rollback().execute();
  };
  t.teardown(letGo);
  await sql`SET LOCAL idle_in_transaction_session_timeout = 0`.execute(held);
  await sql`LOCK TABLE ${sql.table(table)} IN SHARE MODE`.execute(held);
  return letGo;
}
