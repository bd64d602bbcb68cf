import { type Kysely, sql } from "kysely";

/** Resumable uploads: how far each is, and which part of the store holds which of its bytes. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // stored_bytes is the end of the contiguous parts; the upload's offset is that plus the tail. The tail is what came
  // after the last part and is too short to be one of its own (Amazon S3: 5 MiB). Every write of a holder of the lease
  // names its fence: whoever takes the lease after it raises the fence, and the earlier one writes nothing any more.
  `CREATE TABLE upload (
     id uuid PRIMARY KEY,
     organization_id uuid NOT NULL REFERENCES organization,
     station_id uuid NOT NULL REFERENCES station,
     metadata jsonb NOT NULL,
     object_key text NOT NULL UNIQUE,
     write_id text,
     size_bytes bigint NOT NULL CHECK (size_bytes > 0),
     stored_bytes bigint NOT NULL DEFAULT 0 CHECK (stored_bytes >= 0),
     tail bytea NOT NULL DEFAULT '',
     state text NOT NULL DEFAULT 'receiving' CHECK (state IN ('receiving', 'complete', 'gone')),
     fence bigint NOT NULL DEFAULT 0,
     lease_until timestamptz,
     begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     expires_at timestamptz NOT NULL,
     clip_id uuid REFERENCES clip,
     clip_created boolean,
     CHECK (stored_bytes + length(tail) <= size_bytes),
     CHECK ((state = 'complete') = (clip_id IS NOT NULL AND clip_created IS NOT NULL)))`,
  `CREATE INDEX upload_expiry ON upload (expires_at)`,
  `CREATE TABLE upload_part (
     upload_id uuid NOT NULL REFERENCES upload ON DELETE CASCADE,
     number integer NOT NULL CHECK (number > 0),
     offset_bytes bigint NOT NULL CHECK (offset_bytes >= 0),
     size_bytes bigint NOT NULL CHECK (size_bytes > 0),
     sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
     etag text NOT NULL,
     PRIMARY KEY (upload_id, number))`,
  `CREATE TRIGGER parts_stay BEFORE UPDATE OR TRUNCATE ON upload_part
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  `GRANT SELECT, INSERT, DELETE ON upload, upload_part TO dockseal_app`,
  `GRANT UPDATE (write_id, stored_bytes, tail, state, fence, lease_until, expires_at, clip_id, clip_created)
     ON upload TO dockseal_app`,
];
