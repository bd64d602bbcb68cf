import { type Kysely, sql } from "kysely";

/** Exports of clips and cases as bags, and jobs that are not about a step of a clip. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // One row an export that somebody asked for. It stays when the bag is removed again.
  `CREATE TABLE export (
     id uuid PRIMARY KEY,
     organization_id uuid NOT NULL REFERENCES organization,
     case_id uuid REFERENCES case_file,
     clip_id uuid REFERENCES clip,
     requested_by uuid NOT NULL REFERENCES person,
     requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done', 'failed')),
     generation integer NOT NULL DEFAULT 1,
     touched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     files_done integer NOT NULL DEFAULT 0,
     files_total integer,
     bytes_done bigint NOT NULL DEFAULT 0,
     bytes_total bigint,
     problem_code text,
     problem_detail text,
     finished_at timestamptz,
     name text,
     object_key text UNIQUE,
     version_id text,
     size_bytes bigint,
     sha256 text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
     tag_manifest_sha256 text CHECK (tag_manifest_sha256 ~ '^[0-9a-f]{64}$'),
     removed_at timestamptz,
     CHECK (num_nonnulls(case_id, clip_id) = 1),
     CHECK (state <> 'done' OR num_nulls(finished_at, name, object_key, version_id, size_bytes, sha256, tag_manifest_sha256) = 0))`,
  `CREATE INDEX export_unfinished ON export (touched_at) WHERE state IN ('pending', 'running')`,
  `CREATE INDEX export_kept ON export (finished_at) WHERE state = 'done' AND removed_at IS NULL`,
  // What was asked for, and what came of it, is never rewritten.
  `CREATE FUNCTION refuse_export_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF (NEW.id, NEW.organization_id, NEW.case_id, NEW.clip_id, NEW.requested_by, NEW.requested_at)
        IS DISTINCT FROM
        (OLD.id, OLD.organization_id, OLD.case_id, OLD.clip_id, OLD.requested_by, OLD.requested_at)
        OR OLD.removed_at IS NOT NULL
        OR (OLD.state IN ('done', 'failed')
            AND (NEW.state, NEW.name, NEW.object_key, NEW.version_id, NEW.size_bytes, NEW.sha256, NEW.tag_manifest_sha256, NEW.finished_at)
                IS DISTINCT FROM
                (OLD.state, OLD.name, OLD.object_key, OLD.version_id, OLD.size_bytes, OLD.sha256, OLD.tag_manifest_sha256, OLD.finished_at)) THEN
       RAISE EXCEPTION 'what was exported is never rewritten' USING ERRCODE = 'insufficient_privilege';
     END IF;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER outcome_stays BEFORE UPDATE ON export FOR EACH ROW EXECUTE FUNCTION refuse_export_rewrite()`,
  `CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON export FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  // A session that fetches a bag, in however many ranges, is one event.
  `CREATE TABLE export_fetch (
     id uuid PRIMARY KEY,
     export_id uuid NOT NULL REFERENCES export,
     session_id uuid NOT NULL REFERENCES session,
     person_id uuid NOT NULL REFERENCES person,
     started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     UNIQUE (session_id, export_id))`,
  `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON export_fetch
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,

  // The purposes are a closed list in the code; here only their form is checked.
  `ALTER TABLE store_intent DROP CONSTRAINT store_intent_purpose_check`,
  `ALTER TABLE store_intent ADD CONSTRAINT store_intent_purpose_check CHECK (purpose ~ '^[a-z][a-z-]{0,31}$')`,
  `ALTER TABLE outbox ALTER COLUMN clip_id DROP NOT NULL`,
  `ALTER TABLE outbox ADD COLUMN export_id uuid`,
  `ALTER TABLE outbox ADD CONSTRAINT outbox_about CHECK (num_nonnulls(clip_id, export_id) = 1)`,

  `GRANT SELECT, INSERT ON export, export_fetch TO dockseal_app`,
  `GRANT UPDATE (state, generation, touched_at, files_done, files_total, bytes_done, bytes_total, problem_code, problem_detail,
     finished_at, name, object_key, version_id, size_bytes, sha256, tag_manifest_sha256, removed_at) ON export TO dockseal_app`,
];
