import { type Kysely, sql } from "kysely";

/** Alarms: what somebody has to look at, whoever found it. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // One row a thing that is wrong. It stays when it is over: an alarm that came and went is a fact of its own.
  `CREATE TABLE alarm (
     id uuid PRIMARY KEY,
     kind text NOT NULL CHECK (kind ~ '^[a-z][a-z0-9-]{0,63}$'),
     subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 500),
     detail text NOT NULL,
     raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     cleared_at timestamptz)`,
  `CREATE UNIQUE INDEX alarm_open ON alarm (kind, subject) WHERE cleared_at IS NULL`,
  `CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON alarm FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  `GRANT SELECT, INSERT ON alarm TO dockseal_app`,
  `GRANT UPDATE (detail, last_seen_at, cleared_at) ON alarm TO dockseal_app`,
];
