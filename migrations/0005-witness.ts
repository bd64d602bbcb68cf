import { type Kysely, sql } from "kysely";

/** What witnesses said of the log's checkpoints. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // A line of the note, which was checked before it was kept. `witness` is its verifier key.
  `CREATE TABLE log_cosignature (
     size bigint NOT NULL REFERENCES log_checkpoint,
     witness text NOT NULL CHECK (length(witness) BETWEEN 10 AND 500),
     line text NOT NULL CHECK (length(line) BETWEEN 10 AND 1000),
     received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (size, witness))`,
  `CREATE INDEX log_cosignature_of_witness ON log_cosignature (witness, size)`,
  // A checkpoint that as many witnesses cosigned as the policy of that moment wanted, with their lines. Written once, so
  // that the receipts that lead to it stay the same text; and only upwards, so that each event keeps its first one.
  `CREATE TABLE log_witnessed (
     size bigint PRIMARY KEY REFERENCES log_checkpoint,
     note text NOT NULL,
     threshold integer NOT NULL CHECK (threshold > 0),
     witnessed_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  ...["log_cosignature", "log_witnessed"].map(
    (table) =>
      `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  ),
  `GRANT SELECT, INSERT ON log_cosignature, log_witnessed TO dockseal_app`,
];
