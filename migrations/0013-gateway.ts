import { type Kysely, sql } from "kysely";

/** The gateway for stations that speak the dialect of GA/T 947-style platforms. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // How a clip came in: with a station's own token, or through the gateway, whose authentication is weak.
  `ALTER TABLE clip ADD COLUMN source text NOT NULL DEFAULT 'station' CHECK (source IN ('station', 'gateway'))`,
  `CREATE TABLE gateway_key (
     id uuid PRIMARY KEY,
     station_id uuid NOT NULL REFERENCES station,
     key_hash bytea NOT NULL UNIQUE CHECK (length(key_hash) = 32),
     addresses text[] NOT NULL CHECK (cardinality(addresses) BETWEEN 1 AND 32),
     zone text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     revoked_at timestamptz)`,
  `CREATE INDEX gateway_key_of_station ON gateway_key (station_id)`,
  `CREATE TABLE station_heartbeat (
     station_id uuid PRIMARY KEY REFERENCES station,
     seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     source_address text NOT NULL,
     total_mib bigint,
     used_mib bigint,
     raid_state text,
     alarm_type text,
     version text,
     record jsonb NOT NULL)`,

  // A file that a station has, by the station's own number. Its clip is known once the bytes are there.
  `CREATE TABLE gateway_announcement (
     id uuid PRIMARY KEY,
     station_id uuid NOT NULL REFERENCES station,
     file_number text NOT NULL CHECK (length(file_number) BETWEEN 1 AND 128),
     recorder_serial text NOT NULL,
     captured_at_raw text NOT NULL,
     size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
     announced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     clip_id uuid REFERENCES clip,
     arrived_at timestamptz,
     UNIQUE (station_id, file_number),
     CHECK ((clip_id IS NULL) = (arrived_at IS NULL)))`,
  `CREATE INDEX gateway_announcement_expected ON gateway_announcement (station_id, announced_at, id) WHERE clip_id IS NULL`,
  `CREATE INDEX gateway_announcement_of_clip ON gateway_announcement (clip_id) WHERE clip_id IS NOT NULL`,
  `CREATE FUNCTION refuse_arrival_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF OLD.clip_id IS NOT NULL AND (NEW.clip_id, NEW.arrived_at) IS DISTINCT FROM (OLD.clip_id, OLD.arrived_at) THEN
       RAISE EXCEPTION 'what arrived under a file number stays' USING ERRCODE = 'insufficient_privilege';
     END IF;
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER arrival_stays BEFORE UPDATE ON gateway_announcement FOR EACH ROW EXECUTE FUNCTION refuse_arrival_rewrite()`,
  `CREATE TRIGGER no_removal BEFORE DELETE OR TRUNCATE ON gateway_announcement FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  // What the station said of the file, verbatim; a further revision when it said something else later.
  `CREATE TABLE gateway_record (
     announcement_id uuid NOT NULL REFERENCES gateway_announcement,
     revision integer NOT NULL CHECK (revision > 0),
     record jsonb NOT NULL,
     sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
     received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (announcement_id, revision))`,
  // A file that a station says it deleted. Without a receipt the log says so itself; with one, source_wipe has the event.
  `CREATE TABLE gateway_wipe (
     station_id uuid NOT NULL REFERENCES station,
     file_number text NOT NULL,
     clip_id uuid REFERENCES clip,
     with_receipt boolean NOT NULL,
     event_id uuid REFERENCES custody_event,
     reported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (station_id, file_number),
     CHECK (with_receipt = (event_id IS NULL)))`,

  // ---- what stations tell beside files ----
  `CREATE TABLE recorder_report (
     station_id uuid NOT NULL REFERENCES station,
     recorder_id uuid NOT NULL REFERENCES recorder,
     record jsonb NOT NULL,
     reported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (station_id, recorder_id))`,
  `CREATE TABLE station_log (
     id uuid PRIMARY KEY,
     station_id uuid NOT NULL REFERENCES station,
     kind text NOT NULL CHECK (kind IN ('dsjlog', 'dsjlogfile', 'wslog', 'gpslog')),
     record_count integer NOT NULL CHECK (record_count > 0),
     sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
     event_id uuid NOT NULL UNIQUE REFERENCES custody_event,
     received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     UNIQUE (station_id, kind, sha256))`,
  `CREATE TABLE station_log_record (
     log_id uuid NOT NULL REFERENCES station_log,
     position integer NOT NULL CHECK (position >= 0),
     record jsonb NOT NULL,
     PRIMARY KEY (log_id, position))`,
  ...["gateway_record", "gateway_wipe", "station_log", "station_log_record"].map(
    (table) =>
      `CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  ),

  // ---- grants ----
  `GRANT SELECT, INSERT ON gateway_key, station_heartbeat, gateway_announcement, gateway_record, gateway_wipe, recorder_report,
     station_log, station_log_record TO dockseal_app`,
  `GRANT UPDATE (revoked_at) ON gateway_key TO dockseal_app`,
  `GRANT UPDATE (seen_at, source_address, total_mib, used_mib, raid_state, alarm_type, version, record) ON station_heartbeat TO dockseal_app`,
  `GRANT UPDATE (clip_id, arrived_at) ON gateway_announcement TO dockseal_app`,
  `GRANT UPDATE (record, reported_at) ON recorder_report TO dockseal_app`,
];
