import { type Kysely, sql } from "kysely";

/** The fixity audit: runs and what they found, copies in a replica, repairs, and new revisions of derivatives. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // ---- what is stored where ----
  // A repair puts a clip's bytes under a fresh key. The clip's own row stays as it is; the newest repair holds.
  `CREATE TABLE clip_repair (
     clip_id uuid NOT NULL REFERENCES clip,
     generation integer NOT NULL CHECK (generation > 0),
     object_key text NOT NULL UNIQUE,
     version_id text NOT NULL,
     copied_from text NOT NULL,
     reason text NOT NULL,
     event_id uuid NOT NULL REFERENCES custody_event,
     repaired_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (clip_id, generation))`,
  `CREATE VIEW clip_location AS
     SELECT clip.id AS clip_id, coalesce(newest.generation, 0) AS generation,
       coalesce(newest.object_key, clip.object_key) AS object_key,
       coalesce(newest.version_id, clip.version_id) AS version_id
     FROM clip LEFT JOIN LATERAL (
       SELECT generation, object_key, version_id FROM clip_repair
       WHERE clip_repair.clip_id = clip.id ORDER BY generation DESC LIMIT 1) AS newest ON true`,
  // Making derivatives anew gives a new revision; the rows of the damaged ones stay. The event says when, in the log's order.
  `ALTER TABLE derivative ADD COLUMN revision integer NOT NULL DEFAULT 1 CHECK (revision > 0),
     ADD COLUMN event_id uuid REFERENCES custody_event`,
  `ALTER TABLE derivative DROP CONSTRAINT derivative_clip_id_role_key`,
  `CREATE UNIQUE INDEX derivative_revision ON derivative (clip_id, role, revision DESC)`,

  // ---- copies ----
  `CREATE TABLE replica_copy (
     clip_id uuid NOT NULL REFERENCES clip,
     location text NOT NULL,
     object_key text NOT NULL,
     version_id text NOT NULL,
     event_id uuid NOT NULL REFERENCES custody_event,
     copied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (clip_id, location))`,
  // A copy under way. Its key is noted before a byte is written, and whoever takes the task over goes on with that key:
  // so nothing is left behind, and nothing is written twice.
  `CREATE TABLE copy_task (
     clip_id uuid NOT NULL REFERENCES clip,
     direction text NOT NULL CHECK (direction IN ('replicate', 'repair')),
     object_key text NOT NULL UNIQUE,
     lease uuid,
     free_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     attempts integer NOT NULL DEFAULT 0,
     last_error text,
     begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (clip_id, direction))`,

  // ---- runs ----
  // What a run is to read is fixed by the size of the log at its start: what was sealed below it, and nothing else.
  `CREATE TABLE fixity_run (
     id uuid PRIMARY KEY,
     kind text NOT NULL CHECK (kind IN ('cycle', 'sample', 'manual')),
     state text NOT NULL CHECK (state IN ('waiting', 'running', 'finished', 'failed')),
     organization_id uuid REFERENCES organization,
     case_id uuid REFERENCES case_file,
     day date,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     due_at timestamptz NOT NULL,
     started_at timestamptz,
     finished_at timestamptz,
     log_size bigint,
     expected_count bigint,
     expected_bytes bigint,
     seed text CHECK (seed ~ '^[0-9a-f]{64}$'),
     checkpoint_size bigint,
     checkpoint_note text,
     checkpoint_fixed_by text,
     checkpoint_proof bytea,
     sample uuid[],
     next_index bigint NOT NULL DEFAULT 0,
     read_count bigint NOT NULL DEFAULT 0,
     read_bytes bigint NOT NULL DEFAULT 0,
     intact_count bigint NOT NULL DEFAULT 0,
     repaired_count bigint NOT NULL DEFAULT 0,
     damaged_count bigint NOT NULL DEFAULT 0,
     missing_count bigint NOT NULL DEFAULT 0,
     unlocked_count bigint NOT NULL DEFAULT 0,
     unreadable_count bigint NOT NULL DEFAULT 0,
     failure text)`,
  `CREATE UNIQUE INDEX fixity_run_one_cycle ON fixity_run (kind) WHERE kind = 'cycle' AND state = 'running'`,
  `CREATE UNIQUE INDEX fixity_run_one_sample ON fixity_run (day) WHERE kind = 'sample'`,
  `CREATE INDEX fixity_run_open ON fixity_run (created_at) WHERE state IN ('waiting', 'running')`,
  `CREATE INDEX fixity_run_newest ON fixity_run (created_at DESC, id DESC)`,
  // Fixed at the start, and what is over stays as it ended.
  `CREATE FUNCTION refuse_run_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF OLD.state IN ('finished', 'failed')
        OR (NEW.id, NEW.kind, NEW.organization_id, NEW.case_id, NEW.day, NEW.created_at, NEW.due_at)
           IS DISTINCT FROM (OLD.id, OLD.kind, OLD.organization_id, OLD.case_id, OLD.day, OLD.created_at, OLD.due_at)
        OR (OLD.state = 'running' AND
           (NEW.started_at, NEW.log_size, NEW.expected_count, NEW.expected_bytes, NEW.seed, NEW.checkpoint_size, NEW.checkpoint_note,
            NEW.checkpoint_fixed_by, NEW.checkpoint_proof, NEW.sample)
           IS DISTINCT FROM
           (OLD.started_at, OLD.log_size, OLD.expected_count, OLD.expected_bytes, OLD.seed, OLD.checkpoint_size, OLD.checkpoint_note,
            OLD.checkpoint_fixed_by, OLD.checkpoint_proof, OLD.sample)) THEN
       RAISE EXCEPTION 'what an audit was to read, and how it ended, is never rewritten' USING ERRCODE = 'insufficient_privilege';
     END IF;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER run_stays BEFORE UPDATE ON fixity_run FOR EACH ROW EXECUTE FUNCTION refuse_run_rewrite()`,
  `CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON fixity_run FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  // What a run has still to read, or reads now: a few hundred rows ahead of it. Neither here nor below does a key lead to
  // the clip: checking it would want the clip's row, which whoever records a finding holds while it waits for the run's.
  `CREATE TABLE fixity_claim (
     run_id uuid NOT NULL REFERENCES fixity_run,
     object_id uuid NOT NULL,
     clip_id uuid NOT NULL,
     role text NOT NULL CHECK (role IN ('original', 'playback', 'poster', 'sprite', 'waveform')),
     size_bytes bigint NOT NULL,
     lease uuid,
     free_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     attempts integer NOT NULL DEFAULT 0,
     last_error text,
     PRIMARY KEY (run_id, object_id))`,
  `CREATE INDEX fixity_claim_free ON fixity_claim (run_id, free_at)`,
  // object_id: the clip's id for its original, the derivative's own id else.
  `CREATE TABLE fixity_item (
     run_id uuid NOT NULL REFERENCES fixity_run,
     object_id uuid NOT NULL,
     clip_id uuid NOT NULL,
     role text NOT NULL CHECK (role IN ('original', 'playback', 'poster', 'sprite', 'waveform')),
     outcome text NOT NULL CHECK (outcome IN ('intact', 'repaired', 'damaged', 'missing', 'unlocked', 'unreadable')),
     size_bytes bigint,
     sha256 text,
     sm3 text,
     chunk_root text,
     retained_until timestamptz,
     reason text,
     event_id uuid REFERENCES custody_event,
     checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (run_id, object_id))`,
  `CREATE INDEX fixity_item_of_object ON fixity_item (object_id, checked_at DESC) WHERE outcome <> 'unreadable'`,
  `CREATE INDEX fixity_item_failed ON fixity_item (run_id, checked_at) WHERE outcome <> 'intact'`,

  ...["clip_repair", "replica_copy", "fixity_item"].map(
    (table) =>
      `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  ),

  // ---- grants ----
  `GRANT SELECT ON clip_repair, clip_location, replica_copy, copy_task, fixity_run, fixity_claim, fixity_item TO dockseal_app`,
  `GRANT INSERT ON clip_repair, replica_copy, copy_task, fixity_run, fixity_claim, fixity_item TO dockseal_app`,
  `GRANT UPDATE (lease, free_at, attempts, last_error, object_key), DELETE ON copy_task TO dockseal_app`,
  `GRANT UPDATE (lease, free_at, attempts, last_error), DELETE ON fixity_claim TO dockseal_app`,
  `GRANT UPDATE (state, started_at, finished_at, log_size, expected_count, expected_bytes, seed, checkpoint_size, checkpoint_note,
     checkpoint_fixed_by, checkpoint_proof, sample, next_index, read_count, read_bytes, intact_count, repaired_count,
     damaged_count, missing_count, unlocked_count, unreadable_count, failure) ON fixity_run TO dockseal_app`,
];
