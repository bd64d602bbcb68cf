import { type Kysely, sql } from "kysely";

/** Signatures over originals, and what strangers need to check them. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // Public keys that have sealed something: bundles name them by hint, also after the key was replaced.
  `CREATE TABLE seal_key (
     hint text PRIMARY KEY,
     public_pem text NOT NULL,
     first_used_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  // Ways from a timestamp authority's certificate to its root, the authority first, PEM. The id is the SHA-256 of them all.
  `CREATE TABLE timestamp_chain (
     id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{64}$'),
     certificates text[] NOT NULL CHECK (cardinality(certificates) > 0),
     first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE TABLE seal_bundle (
     clip_id uuid PRIMARY KEY REFERENCES clip,
     signature bytea NOT NULL,
     key_hint text NOT NULL REFERENCES seal_key,
     token bytea NOT NULL,
     generated_at timestamptz NOT NULL,
     chain_id text NOT NULL REFERENCES timestamp_chain,
     event_id uuid NOT NULL UNIQUE REFERENCES custody_event,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  ...["seal_key", "timestamp_chain", "seal_bundle"].map(
    (table) =>
      `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  ),
  `GRANT SELECT, INSERT ON seal_key, timestamp_chain, seal_bundle TO dockseal_app`,
];
