import { type Kysely, sql } from "kysely";

/** Files that stations wiped from cards once they held a verified receipt. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // A clip may have lain on a card twice, under two names: each wipe is a row. A report that is repeated is the same row.
  `CREATE TABLE source_wipe (
     clip_id uuid NOT NULL REFERENCES clip,
     station_id uuid NOT NULL REFERENCES station,
     file_name text NOT NULL CHECK (length(file_name) BETWEEN 1 AND 1000),
     wiped_at timestamptz NOT NULL,
     event_id uuid NOT NULL UNIQUE REFERENCES custody_event,
     reported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (clip_id, station_id, file_name, wiped_at))`,
  `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON source_wipe FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  `GRANT SELECT, INSERT ON source_wipe TO dockseal_app`,
];
