import { type Kysely, sql } from "kysely";

/** The tables of the main job: organizations, clips, the custody log, cases and bindings. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // The application's role owns nothing: what it may do is granted below, and nothing else.
  // It belongs to the whole server: another database may have made it, and may be making it at this moment.
  `DO $$ BEGIN
     IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dockseal_app') THEN
       CREATE ROLE dockseal_app NOLOGIN NOBYPASSRLS;
     END IF;
   EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
   END $$`,

  // ---- identity ----
  `CREATE TABLE organization (
     id uuid PRIMARY KEY,
     parent_id uuid REFERENCES organization,
     name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
     created_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE TABLE station (
     id uuid PRIMARY KEY,
     organization_id uuid NOT NULL REFERENCES organization,
     number text NOT NULL UNIQUE CHECK (length(number) BETWEEN 1 AND 40),
     name text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE TABLE station_token (
     id uuid PRIMARY KEY,
     station_id uuid NOT NULL REFERENCES station,
     token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     revoked_at timestamptz)`,
  `CREATE TABLE recorder (
     id uuid PRIMARY KEY,
     organization_id uuid NOT NULL REFERENCES organization,
     serial text NOT NULL UNIQUE CHECK (length(serial) BETWEEN 1 AND 64),
     created_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE TABLE person (
     id uuid PRIMARY KEY,
     organization_id uuid NOT NULL REFERENCES organization,
     sign_in_name text NOT NULL UNIQUE CHECK (length(sign_in_name) BETWEEN 1 AND 100),
     display_name text NOT NULL,
     role text NOT NULL CHECK (role IN ('handler', 'supervisor', 'auditor', 'administrator')),
     password_hash text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     disabled_at timestamptz)`,
  `CREATE TABLE session (
     id uuid PRIMARY KEY,
     person_id uuid NOT NULL REFERENCES person,
     token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
     csrf_token text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     expires_at timestamptz NOT NULL,
     ended_at timestamptz)`,

  // ---- clips ----
  // A write to the evidence store that is under way. The row goes in the transaction that makes the object evidence;
  // one that stays behind names a key to be swept.
  `CREATE TABLE store_intent (
     object_key text PRIMARY KEY,
     purpose text NOT NULL CHECK (purpose IN ('original', 'derivative')),
     begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     alive_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     swept_at timestamptz)`,
  `CREATE TABLE clip (
     id uuid PRIMARY KEY,
     organization_id uuid NOT NULL REFERENCES organization,
     station_id uuid NOT NULL REFERENCES station,
     recorder_id uuid NOT NULL REFERENCES recorder,
     state text NOT NULL CHECK (state IN ('received', 'hashed', 'sealed', 'quarantined')),
     kind text NOT NULL CHECK (kind IN ('video', 'audio', 'photo', 'text', 'other')),
     file_name text NOT NULL,
     media_type text NOT NULL DEFAULT 'application/octet-stream',
     size_bytes bigint NOT NULL CHECK (size_bytes > 0),
     sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
     sm3 text CHECK (sm3 ~ '^[0-9a-f]{64}$'),
     chunk_root text CHECK (chunk_root ~ '^[0-9a-f]{64}$'),
     object_key text NOT NULL UNIQUE,
     version_id text NOT NULL,
     metadata jsonb NOT NULL,
     collector_number text NOT NULL,
     captured_at_raw text NOT NULL,
     captured_at timestamptz,
     important boolean NOT NULL DEFAULT false,
     case_number text,
     evidence_purpose text,
     stage text,
     place_text text,
     received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     sealed_at timestamptz,
     retained_until timestamptz,
     quarantine_reason text,
     playable boolean,
     unplayable_reason text,
     media_facts jsonb,
     UNIQUE (recorder_id, sha256, size_bytes))`,
  `CREATE INDEX clip_newest ON clip (organization_id, received_at DESC, id DESC)`,
  `CREATE INDEX clip_quarantined ON clip (id) WHERE state = 'quarantined'`,
  `CREATE TABLE clip_step (
     clip_id uuid NOT NULL REFERENCES clip,
     step text NOT NULL CHECK (step IN ('hash', 'timestamp', 'transcode', 'bind')),
     state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
     generation integer NOT NULL DEFAULT 1,
     touched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     done_at timestamptz,
     last_error text,
     PRIMARY KEY (clip_id, step))`,
  `CREATE INDEX clip_step_pending ON clip_step (touched_at) WHERE state = 'pending'`,
  `CREATE TABLE outbox (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     clip_id uuid NOT NULL,
     step text NOT NULL,
     generation integer NOT NULL,
     trace_id text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE TABLE seal_manifest (
     clip_id uuid PRIMARY KEY REFERENCES clip,
     manifest bytea NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE TABLE seal_timestamp (
     clip_id uuid PRIMARY KEY REFERENCES clip,
     token bytea NOT NULL,
     generated_at timestamptz NOT NULL,
     authority text NOT NULL,
     independent boolean NOT NULL,
     roots text[] NOT NULL,
     event_id uuid NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE TABLE derivative (
     id uuid PRIMARY KEY,
     clip_id uuid NOT NULL REFERENCES clip,
     role text NOT NULL CHECK (role IN ('playback', 'poster', 'sprite', 'waveform')),
     object_key text NOT NULL UNIQUE,
     version_id text NOT NULL,
     media_type text NOT NULL,
     size_bytes bigint NOT NULL,
     sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
     original_sha256 text NOT NULL CHECK (original_sha256 ~ '^[0-9a-f]{64}$'),
     facts jsonb NOT NULL,
     tool text NOT NULL,
     tool_version text NOT NULL,
     arguments jsonb NOT NULL,
     sandbox_level text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     UNIQUE (clip_id, role))`,
  `CREATE TABLE viewing (
     id uuid PRIMARY KEY,
     clip_id uuid NOT NULL REFERENCES clip,
     session_id uuid NOT NULL REFERENCES session,
     person_id uuid NOT NULL REFERENCES person,
     rendition text NOT NULL,
     started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     UNIQUE (session_id, clip_id, rendition))`,

  // ---- cases ----
  `CREATE TABLE case_file (
     id uuid PRIMARY KEY,
     organization_id uuid NOT NULL REFERENCES organization,
     number text NOT NULL CHECK (length(number) BETWEEN 1 AND 100),
     title text,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     UNIQUE (organization_id, number))`,
  // A binding is a chain of revisions; the newest one holds. Nothing in it is ever overwritten.
  `CREATE TABLE binding (
     id uuid NOT NULL,
     revision integer NOT NULL CHECK (revision > 0),
     clip_id uuid NOT NULL REFERENCES clip,
     case_id uuid NOT NULL REFERENCES case_file,
     withdrawn boolean NOT NULL DEFAULT false,
     captured_at text NOT NULL,
     capture_place text NOT NULL,
     collector_number text NOT NULL,
     evidence_purpose text NOT NULL,
     stage text,
     reason text,
     made_by text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (id, revision))`,
  `CREATE INDEX binding_of_clip ON binding (clip_id)`,
  `CREATE INDEX binding_of_case ON binding (case_id)`,
  `CREATE VIEW current_binding AS
     SELECT * FROM binding AS b
     WHERE revision = (SELECT max(revision) FROM binding AS newer WHERE newer.id = b.id)`,

  // ---- custody log ----
  `CREATE TABLE custody_event (
     id uuid PRIMARY KEY,
     type text NOT NULL,
     clip_id uuid,
     case_id uuid,
     at timestamptz NOT NULL,
     actor text NOT NULL,
     details jsonb NOT NULL,
     salt text NOT NULL CHECK (salt ~ '^[0-9a-f]{64}$'),
     leaf bytea NOT NULL)`,
  `CREATE INDEX custody_event_of_clip ON custody_event (clip_id, at)`,
  `CREATE INDEX custody_event_of_case ON custody_event (case_id, at)`,
  `CREATE TABLE custody_pending (
     event_id uuid PRIMARY KEY REFERENCES custody_event,
     position bigint GENERATED ALWAYS AS IDENTITY)`,
  `CREATE TABLE log_entry (
     index bigint PRIMARY KEY CHECK (index >= 0),
     event_id uuid NOT NULL UNIQUE REFERENCES custody_event,
     leaf_hash bytea NOT NULL CHECK (length(leaf_hash) = 32))`,
  `CREATE TABLE log_tile (
     level smallint NOT NULL CHECK (level BETWEEN 0 AND 5),
     index bigint NOT NULL CHECK (index >= 0),
     hashes bytea NOT NULL CHECK (length(hashes) % 32 = 0 AND length(hashes) BETWEEN 32 AND 8192),
     PRIMARY KEY (level, index))`,
  `CREATE TABLE log_checkpoint (
     size bigint PRIMARY KEY CHECK (size > 0),
     root bytea NOT NULL CHECK (length(root) = 32),
     note text NOT NULL,
     signed_at timestamptz NOT NULL DEFAULT clock_timestamp())`,

  // ---- append-only, for everybody who is not the owner and has not dropped the triggers on purpose ----
  `CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     RAISE EXCEPTION 'table % is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
   END $$`,
  ...[
    "custody_event",
    "log_entry",
    "log_checkpoint",
    "seal_manifest",
    "seal_timestamp",
    "binding",
    "derivative",
    "viewing",
  ].map(
    (table) =>
      `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  ),
  // A tile only grows to the right (C2SP tlog-tiles): what it held stays its beginning.
  `CREATE FUNCTION refuse_tile_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF NEW.level <> OLD.level OR NEW.index <> OLD.index OR length(NEW.hashes) < length(OLD.hashes)
        OR substring(NEW.hashes FOR length(OLD.hashes)) <> OLD.hashes THEN
       RAISE EXCEPTION 'a tile of the log only grows: rewrite refused' USING ERRCODE = 'insufficient_privilege';
     END IF;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER grow_only BEFORE UPDATE ON log_tile FOR EACH ROW EXECUTE FUNCTION refuse_tile_rewrite()`,
  `CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON log_tile FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  // What a clip is never changes; only how far it got does.
  `CREATE FUNCTION refuse_clip_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF (NEW.id, NEW.organization_id, NEW.station_id, NEW.recorder_id, NEW.size_bytes, NEW.sha256, NEW.object_key, NEW.version_id,
         NEW.metadata, NEW.received_at, NEW.file_name)
        IS DISTINCT FROM
        (OLD.id, OLD.organization_id, OLD.station_id, OLD.recorder_id, OLD.size_bytes, OLD.sha256, OLD.object_key, OLD.version_id,
         OLD.metadata, OLD.received_at, OLD.file_name)
        OR (OLD.sm3 IS NOT NULL AND (NEW.sm3, NEW.chunk_root) IS DISTINCT FROM (OLD.sm3, OLD.chunk_root)) THEN
       RAISE EXCEPTION 'what was received is never rewritten' USING ERRCODE = 'insufficient_privilege';
     END IF;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER original_stays BEFORE UPDATE ON clip FOR EACH ROW EXECUTE FUNCTION refuse_clip_rewrite()`,
  `CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON clip FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,

  // ---- grants ----
  `GRANT USAGE ON SCHEMA public TO dockseal_app`,
  `GRANT SELECT ON ALL TABLES IN SCHEMA public TO dockseal_app`,
  `GRANT INSERT ON organization, station, station_token, recorder, person, session, store_intent, clip, clip_step, outbox,
     seal_manifest, seal_timestamp, derivative, viewing, case_file, binding, custody_event, custody_pending, log_entry,
     log_tile, log_checkpoint TO dockseal_app`,
  `GRANT UPDATE (revoked_at) ON station_token TO dockseal_app`,
  `GRANT UPDATE (password_hash, role, display_name, disabled_at) ON person TO dockseal_app`,
  `GRANT UPDATE (ended_at) ON session TO dockseal_app`,
  `GRANT UPDATE (alive_at, swept_at), DELETE ON store_intent TO dockseal_app`,
  `GRANT UPDATE (state, sm3, chunk_root, kind, media_type, sealed_at, retained_until, quarantine_reason, playable, unplayable_reason,
     media_facts) ON clip TO dockseal_app`,
  `GRANT UPDATE (state, generation, touched_at, done_at, last_error) ON clip_step TO dockseal_app`,
  `GRANT UPDATE, DELETE ON outbox TO dockseal_app`,
  `GRANT UPDATE, DELETE ON custody_pending TO dockseal_app`,
  `GRANT UPDATE (hashes) ON log_tile TO dockseal_app`,
];
