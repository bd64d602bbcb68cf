import { type Kysely, sql } from "kysely";

/** The log's keys, the copies of its checkpoints in the evidence store, and timestamps over checkpoints. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // Every key that ever signed checkpoints. Those that are not retired sign together.
  `CREATE TABLE log_key (
     id uuid PRIMARY KEY,
     vkey text NOT NULL UNIQUE CHECK (length(vkey) BETWEEN 10 AND 500),
     added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     retired_at timestamptz)`,
  `CREATE FUNCTION refuse_key_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF (NEW.id, NEW.vkey, NEW.added_at) IS DISTINCT FROM (OLD.id, OLD.vkey, OLD.added_at) OR OLD.retired_at IS NOT NULL THEN
       RAISE EXCEPTION 'a key of the log is never rewritten' USING ERRCODE = 'insufficient_privilege';
     END IF;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER retire_only BEFORE UPDATE ON log_key FOR EACH ROW EXECUTE FUNCTION refuse_key_rewrite()`,
  `CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON log_key FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,

  // An RFC 3161 token over the bytes of a checkpoint's note.
  `CREATE TABLE log_checkpoint_timestamp (
     size bigint PRIMARY KEY REFERENCES log_checkpoint,
     token bytea NOT NULL,
     generated_at timestamptz NOT NULL,
     authority text NOT NULL,
     independent boolean NOT NULL,
     roots text[] NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log_checkpoint_timestamp
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  `CREATE INDEX log_checkpoint_signed ON log_checkpoint (signed_at)`,

  // What of a checkpoint lies in the evidence store. The lock is set after the row exists: locked_until is what the
  // store confirmed, and a row without it is locked by the next round.
  `CREATE TABLE log_checkpoint_copy (
     size bigint NOT NULL REFERENCES log_checkpoint,
     part text NOT NULL CHECK (part IN ('note', 'timestamp')),
     object_key text NOT NULL UNIQUE,
     version_id text NOT NULL,
     stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     locked_until timestamptz,
     PRIMARY KEY (size, part))`,
  `CREATE FUNCTION refuse_copy_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF (NEW.size, NEW.part, NEW.object_key, NEW.version_id, NEW.stored_at)
        IS DISTINCT FROM (OLD.size, OLD.part, OLD.object_key, OLD.version_id, OLD.stored_at) THEN
       RAISE EXCEPTION 'where a copy lies is never rewritten' USING ERRCODE = 'insufficient_privilege';
     END IF;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER lock_only BEFORE UPDATE ON log_checkpoint_copy FOR EACH ROW EXECUTE FUNCTION refuse_copy_rewrite()`,
  `CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON log_checkpoint_copy
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  `ALTER TABLE store_intent DROP CONSTRAINT store_intent_purpose_check`,
  `ALTER TABLE store_intent ADD CONSTRAINT store_intent_purpose_check
     CHECK (purpose IN ('original', 'derivative', 'checkpoint'))`,

  // The sequencer reads the oldest ones: by position, whatever the length of the queue. That an event gets one place
  // only is what log_entry's unique event_id says.
  `ALTER TABLE custody_pending DROP CONSTRAINT custody_pending_pkey`,
  `ALTER TABLE custody_pending ADD PRIMARY KEY (position)`,

  // Appends an event in one round trip, with a plan that each connection makes once. The leaf is given without its time,
  // in two halves: the clock of the log is the database's.
  `CREATE FUNCTION append_custody_event(event_id uuid, event_type text, clip uuid, case_file uuid, who text, what jsonb, salt text,
     leaf_before_time text, leaf_after_time text) RETURNS void LANGUAGE plpgsql AS $$
   DECLARE moment timestamptz := date_trunc('milliseconds', clock_timestamp());
   BEGIN
     INSERT INTO custody_event (id, type, clip_id, case_id, at, actor, details, salt, leaf)
       VALUES (event_id, event_type, clip, case_file, moment, who, what, salt, convert_to(
         leaf_before_time || to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || leaf_after_time, 'UTF8'));
     INSERT INTO custody_pending (event_id) VALUES (event_id);
   END $$`,

  `GRANT SELECT, INSERT ON log_key, log_checkpoint_timestamp, log_checkpoint_copy TO dockseal_app`,
  `GRANT UPDATE (retired_at) ON log_key TO dockseal_app`,
  `GRANT UPDATE (locked_until) ON log_checkpoint_copy TO dockseal_app`,
];
