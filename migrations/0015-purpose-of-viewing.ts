import { type Kysely, sql } from "kysely";

/** What a clip is viewed for is said, and noted, before anything of it is sent. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // A row is a statement (no rendition yet), or the first read of a rendition under one. Rows from before this have a
  // rendition and no purpose: they stay true, and permit nothing.
  `ALTER TABLE viewing
     ADD COLUMN purpose text CHECK (length(purpose) BETWEEN 1 AND 200),
     ALTER COLUMN rendition DROP NOT NULL,
     ADD CHECK (purpose IS NOT NULL OR rendition IS NOT NULL),
     DROP CONSTRAINT viewing_session_id_clip_id_rendition_key,
     ADD CONSTRAINT viewing_once UNIQUE NULLS NOT DISTINCT (session_id, clip_id, purpose, rendition)`,
];
