import { type Kysely, sql } from "kysely";

/** Finding an entry by the hash of its leaf, as RFC 6962 §4.5 asks for it. */
export async function up(db: Kysely<never>): Promise<void> {
  // A hash index: nobody looks for ranges of hashes, and the sequencer pays for each entry.
  await sql.raw("CREATE INDEX log_entry_of_leaf ON log_entry USING hash (leaf_hash)").execute(db);
}
