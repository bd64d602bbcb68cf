import { type Kysely, sql } from "kysely";

/** A document that a person adds to a case is a clip like others, and came from no recorder and no station. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `ALTER TABLE clip ALTER COLUMN station_id DROP NOT NULL`,
  `ALTER TABLE clip ALTER COLUMN recorder_id DROP NOT NULL`,
  `ALTER TABLE clip DROP CONSTRAINT clip_source_check`,
  `ALTER TABLE clip ADD CONSTRAINT clip_source_check CHECK (source IN ('station', 'gateway', 'person'))`,
  `ALTER TABLE clip ADD CONSTRAINT clip_brought_check
     CHECK (num_nulls(station_id, recorder_id) = CASE source WHEN 'person' THEN 2 ELSE 0 END)`,
  // As the same bytes of one recorder are one clip, those that an organization's people bring are one.
  `CREATE UNIQUE INDEX clip_of_people ON clip (organization_id, sha256, size_bytes) WHERE recorder_id IS NULL`,
];
