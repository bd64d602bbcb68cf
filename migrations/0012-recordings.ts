import { type Kysely, sql } from "kysely";

/** What cards hold, what belongs together, and what is missing: manifests, recordings, findings. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // ---- what stations and people said ----
  `CREATE TABLE recorder_manifest (
     id uuid PRIMARY KEY,
     organization_id uuid NOT NULL REFERENCES organization,
     recorder_id uuid NOT NULL REFERENCES recorder,
     station_id uuid NOT NULL REFERENCES station,
     digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
     manifest jsonb NOT NULL,
     read_at timestamptz NOT NULL,
     clock_offset_ms bigint,
     clock_uncertainty_ms bigint,
     entry_count integer NOT NULL CHECK (entry_count >= 0),
     received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     UNIQUE (recorder_id, digest))`,
  `CREATE INDEX recorder_manifest_newest ON recorder_manifest (recorder_id, received_at DESC)`,
  // A card is listed again at each docking: what was listed before is listed here once, by the manifest that said so first.
  `CREATE TABLE recorder_manifest_entry (
     recorder_id uuid NOT NULL REFERENCES recorder,
     entry_digest text NOT NULL CHECK (entry_digest ~ '^[0-9a-f]{64}$'),
     manifest_id uuid NOT NULL REFERENCES recorder_manifest,
     entry jsonb NOT NULL,
     PRIMARY KEY (recorder_id, entry_digest))`,
  `CREATE TABLE recording_limits (
     organization_id uuid NOT NULL REFERENCES organization,
     revision integer NOT NULL CHECK (revision > 0),
     limits jsonb NOT NULL,
     set_by uuid NOT NULL REFERENCES person,
     set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (organization_id, revision))`,

  // ---- what follows from it, and may be worked out again at any time ----
  // How far the custody log was followed. One row.
  `CREATE TABLE recording_cursor (
     only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
     next_index bigint NOT NULL)`,
  `INSERT INTO recording_cursor (next_index) VALUES (0)`,
  // When a recorder has to be looked at next; null: when something arrives. Whoever looks holds the row.
  `CREATE TABLE recorder_timeline (
     recorder_id uuid PRIMARY KEY REFERENCES recorder,
     due_at timestamptz,
     analysed_at timestamptz,
     clip_count integer NOT NULL DEFAULT 0,
     last_arrival_at timestamptz,
     last_clock jsonb)`,
  `CREATE INDEX recorder_timeline_due ON recorder_timeline (due_at) WHERE due_at IS NOT NULL`,
  // No key leads to the clip: checking it would wait for whoever holds the clip's row, and clips are never removed.
  `CREATE TABLE recording (
     id uuid PRIMARY KEY,
     organization_id uuid NOT NULL REFERENCES organization,
     recorder_id uuid NOT NULL REFERENCES recorder,
     segment_count integer NOT NULL CHECK (segment_count > 0),
     begins_at timestamptz,
     ends_at timestamptz,
     recorded_seconds double precision)`,
  `CREATE INDEX recording_of_organization ON recording (organization_id, id DESC)`,
  `CREATE INDEX recording_of_recorder ON recording (recorder_id, id DESC)`,
  `CREATE TABLE recording_segment (
     clip_id uuid PRIMARY KEY,
     recorder_id uuid NOT NULL REFERENCES recorder,
     recording_id uuid NOT NULL,
     position integer NOT NULL CHECK (position >= 0),
     time jsonb,
     gap_before_ms bigint,
     UNIQUE (recording_id, position) DEFERRABLE INITIALLY DEFERRED)`,
  `CREATE INDEX recording_segment_of_recorder ON recording_segment (recorder_id)`,
  `CREATE TABLE recorder_finding (
     id uuid PRIMARY KEY,
     organization_id uuid NOT NULL REFERENCES organization,
     recorder_id uuid NOT NULL REFERENCES recorder,
     kind text NOT NULL CHECK (kind ~ '^[a-z][a-z-]{0,63}$'),
     subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
     state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'closed')),
     detail text NOT NULL,
     evidence jsonb NOT NULL,
     first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     closed_at timestamptz,
     CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
     UNIQUE (recorder_id, kind, subject))`,
  `CREATE INDEX recorder_finding_of_organization ON recorder_finding (organization_id, id DESC)`,
  `CREATE INDEX recorder_finding_open ON recorder_finding (organization_id, id DESC) WHERE state = 'open'`,
  `CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON recorder_finding FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  `CREATE TABLE finding_acknowledgement (
     event_id uuid PRIMARY KEY REFERENCES custody_event,
     finding_id uuid NOT NULL REFERENCES recorder_finding,
     person_id uuid NOT NULL REFERENCES person,
     reason text NOT NULL,
     acknowledged_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE INDEX finding_acknowledgement_of ON finding_acknowledgement (finding_id, acknowledged_at DESC)`,

  ...["recorder_manifest", "recorder_manifest_entry", "recording_limits", "finding_acknowledgement"].map(
    (table) =>
      `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  ),

  `GRANT SELECT, INSERT ON recorder_manifest, recorder_manifest_entry, recording_limits, recorder_timeline, recording,
     recording_segment, recorder_finding, finding_acknowledgement TO dockseal_app`,
  `GRANT SELECT, UPDATE (next_index) ON recording_cursor TO dockseal_app`,
  `GRANT UPDATE (due_at, analysed_at, clip_count, last_arrival_at, last_clock) ON recorder_timeline TO dockseal_app`,
  `GRANT UPDATE, DELETE ON recording, recording_segment TO dockseal_app`,
  `GRANT UPDATE (state, detail, evidence, last_seen_at, closed_at) ON recorder_finding TO dockseal_app`,
];
