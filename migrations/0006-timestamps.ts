import { type Kysely, sql } from "kysely";

/** Renewals of timestamps, and what a step that is not done waits for. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // A token over the token before: over the seal's own (generation 1), or over the renewal of the generation before.
  `CREATE TABLE timestamp_renewal (
     clip_id uuid NOT NULL REFERENCES seal_timestamp,
     generation integer NOT NULL CHECK (generation > 0),
     token bytea NOT NULL,
     generated_at timestamptz NOT NULL,
     authority text NOT NULL,
     independent boolean NOT NULL,
     roots text[] NOT NULL,
     event_id uuid NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (clip_id, generation))`,
  `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON timestamp_renewal
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,

  // Until when a clip's newest token can be trusted: an index over what the tokens say, from which it is made anew. A
  // process that renews one claims it for a while, so that no other asks an authority for the same.
  `CREATE TABLE timestamp_expiry (
     clip_id uuid PRIMARY KEY REFERENCES seal_timestamp,
     generation integer NOT NULL CHECK (generation >= 0),
     valid_until timestamptz NOT NULL,
     claimed_until timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE INDEX timestamp_expiry_next ON timestamp_expiry (valid_until, clip_id)`,

  `ALTER TABLE clip_step ADD COLUMN planned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     ADD COLUMN tries integer NOT NULL DEFAULT 0`,

  `GRANT SELECT, INSERT ON timestamp_renewal, timestamp_expiry TO dockseal_app`,
  `GRANT UPDATE (generation, valid_until, claimed_until) ON timestamp_expiry TO dockseal_app`,
  `GRANT UPDATE (tries) ON clip_step TO dockseal_app`,
];
