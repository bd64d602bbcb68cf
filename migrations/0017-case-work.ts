import { type Kysely, sql } from "kysely";

/** What handlers ask of bindings and exports, answered without looking at all of them. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // What somebody said last when binding is offered again.
  `CREATE INDEX binding_of_maker ON binding (made_by, created_at DESC)`,
  `CREATE INDEX export_of_case ON export (case_id, id DESC)`,
  `CREATE INDEX export_of_clip ON export (clip_id, id DESC)`,
];
