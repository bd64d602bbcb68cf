import { type SqlBool, sql } from "kysely";
import type { Database, Tx } from "#db";
import type { StationActor } from "#identity";
import { DocksealError } from "#kernel";
import type { ClipMetadata } from "#metadata";
import type { ResumableWrite, WrittenPart } from "#store";

/** A part that the store holds, with what it holds: [offset, offset + size) of the file. */
export interface MappedPart extends WrittenPart {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
}

export interface UploadRow {
  readonly id: string;
  readonly metadata: ClipMetadata;
  readonly write: ResumableWrite;
  readonly sizeBytes: number;
  /** End of the contiguous acknowledged prefix: what the client need not send again. */
  readonly offsetBytes: number;
  readonly state: "receiving" | "complete" | "gone";
  readonly expiresAt: string;
  /** The clip that came of it, once it is committed. */
  readonly outcome: { readonly clipId: string; readonly created: boolean } | undefined;
}

/** The right to write one upload. Whoever takes it next raises the fence, and every statement of this holder fails. */
export interface Lease {
  readonly uploadId: string;
  readonly fence: number;
}

/** A dead holder blocks its upload for so long; a living one says every third of it that it lives. */
const LEASE_SECONDS = 5;
export const leaseSignMs = (LEASE_SECONDS * 1000) / 3;

/**
 * An upload of this station.
 * @throws DocksealError `not-found` (or of another station), `upload-gone` (expired, ended, or lost by the store).
 */
export async function uploadOf(db: Database, station: StationActor, id: string): Promise<UploadRow> {
  const row = await db
    .selectFrom("upload")
    .select((eb) => [
      "id",
      "metadata",
      "objectKey",
      "writeId",
      "sizeBytes",
      sql<number>`stored_bytes + length(tail)`.as("offsetBytes"),
      "state",
      "expiresAt",
      "clipId",
      "clipCreated",
      eb("expiresAt", "<", sql<string>`clock_timestamp()`).as("expired"),
    ])
    .where("id", "=", id)
    .where("stationId", "=", station.id)
    .executeTakeFirst();
  if (row === undefined) throw new DocksealError("not-found", { detail: "No such upload" });
  if (row.state === "gone" || (row.expired && row.state === "receiving")) throw new DocksealError("upload-gone");
  return {
    id: row.id,
    metadata: row.metadata as ClipMetadata,
    write: { key: row.objectKey, writeId: row.writeId ?? "" },
    sizeBytes: row.sizeBytes,
    offsetBytes: row.offsetBytes,
    state: row.state as UploadRow["state"],
    expiresAt: row.expiresAt,
    outcome: row.clipId === null ? undefined : { clipId: row.clipId, created: row.clipCreated === true },
  };
}

export async function addUpload(
  tx: Tx,
  upload: { id: string; station: StationActor; metadata: ClipMetadata; objectKey: string; sizeBytes: number },
  expireSeconds: number,
): Promise<void> {
  const { id, station, metadata, objectKey, sizeBytes } = upload;
  await tx
    .insertInto("upload")
    .values({
      id,
      organizationId: station.organizationId,
      stationId: station.id,
      metadata: JSON.stringify(metadata),
      objectKey,
      sizeBytes,
      expiresAt: after(expireSeconds),
    })
    .executeTakeFirstOrThrow();
}

/**
 * What the uploads of all processes that are under way will still write, where the store makes the object by copying
 * the parts: each its missing bytes, and the whole once more.
 * @param except an upload that is not counted.
 */
export async function promisedBytes(db: Database, except?: string): Promise<number> {
  const { bytes } = await db
    .selectFrom("upload")
    .select(sql<number>`coalesce(sum(2 * size_bytes - stored_bytes), 0)::bigint`.as("bytes"))
    .where("state", "=", "receiving")
    .where("expiresAt", ">", sql<string>`clock_timestamp()`)
    .$if(except !== undefined, (query) => query.where("id", "<>", except ?? ""))
    .executeTakeFirstOrThrow();
  return bytes;
}

export async function setWriteId(db: Database, id: string, writeId: string): Promise<void> {
  await db.updateTable("upload").set({ writeId }).where("id", "=", id).executeTakeFirstOrThrow();
}

/**
 * Takes the lease and reads how far the upload is, in one statement.
 * @throws DocksealError `upload-locked` while another holds it, `upload-gone`.
 */
export async function takeLease(
  db: Database,
  uploadId: string,
): Promise<{ lease: Lease; storedBytes: number; tail: Buffer; lastPart: number }> {
  const { rows } = await sql<{ fence: number; storedBytes: number; tail: Buffer; lastPart: number }>`
    UPDATE upload SET fence = fence + 1, lease_until = ${after(LEASE_SECONDS)}
    WHERE id = ${uploadId} AND state = 'receiving' AND expires_at > clock_timestamp()
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
    RETURNING fence, stored_bytes, tail,
      (SELECT coalesce(max(number), 0) FROM upload_part WHERE upload_id = upload.id) AS last_part`.execute(db);
  const [row] = rows;
  if (row !== undefined) {
    const { fence, storedBytes, tail, lastPart } = row;
    return { lease: { uploadId, fence }, storedBytes, tail, lastPart };
  }
  const found = await db
    .selectFrom("upload")
    .select((eb) => eb("expiresAt", ">", sql<string>`clock_timestamp()`).as("alive"))
    .where("id", "=", uploadId)
    .where("state", "<>", "gone")
    .executeTakeFirst();
  throw found?.alive ? locked() : new DocksealError("upload-gone");
}

/** @returns false when another has taken the lease, or the upload is over. */
export async function keepLease(db: Database, { uploadId, fence }: Lease, expireSeconds: number): Promise<boolean> {
  const kept = await db
    .updateTable("upload")
    .set({ leaseUntil: after(LEASE_SECONDS), expiresAt: after(expireSeconds) })
    .where("id", "=", uploadId)
    .where("fence", "=", fence)
    .where("state", "=", "receiving")
    .executeTakeFirst();
  return kept.numUpdatedRows === 1n;
}

export async function giveLeaseBack(db: Database, { uploadId, fence }: Lease): Promise<void> {
  await db
    .updateTable("upload")
    .set({ leaseUntil: null })
    .where("id", "=", uploadId)
    .where("fence", "=", fence)
    .execute();
}

/**
 * Acknowledges bytes: parts that the store holds, and the tail after them. One statement, which checks the fence and
 * that the parts begin where the acknowledged ones end: the map has no gap and no second writer, whatever happens.
 * @throws DocksealError `upload-locked` when another has taken the lease.
 */
export async function acknowledge(
  db: Database,
  { uploadId, fence }: Lease,
  bytes: { readonly storedBytes: number; readonly parts: readonly MappedPart[]; readonly tail: Buffer },
  expireSeconds: number,
): Promise<void> {
  const { storedBytes, parts, tail } = bytes;
  const last = parts.at(-1);
  const end = last === undefined ? storedBytes : last.offsetBytes + last.sizeBytes;
  const { rows } = await sql`
    WITH held AS (
      UPDATE upload SET stored_bytes = ${end}, tail = ${tail}, expires_at = ${after(expireSeconds)}
      WHERE id = ${uploadId} AND fence = ${fence} AND state = 'receiving' AND stored_bytes = ${storedBytes}
      RETURNING id),
    mapped AS (
      INSERT INTO upload_part (upload_id, number, offset_bytes, size_bytes, sha256, etag)
      SELECT held.id, part.* FROM held, unnest(
        ${parts.map((part) => part.number)}::integer[], ${parts.map((part) => part.offsetBytes)}::bigint[],
        ${parts.map((part) => part.sizeBytes)}::bigint[], ${parts.map((part) => part.sha256)}::text[],
        ${parts.map((part) => part.etag)}::text[]) AS part)
    SELECT id FROM held`.execute(db);
  if (rows.length !== 1) throw locked();
}

/** The part map, in order. */
export function partsOf(db: Database, uploadId: string): Promise<MappedPart[]> {
  return db
    .selectFrom("uploadPart")
    .select(["number", "offsetBytes", "sizeBytes", "sha256", "etag"])
    .where("uploadId", "=", uploadId)
    .orderBy("number")
    .execute();
}

/** In the transaction that makes the clip. @throws DocksealError `upload-locked` when another has taken the lease. */
export async function markComplete(
  tx: Tx,
  { uploadId, fence }: Lease,
  outcome: { clipId: string; created: boolean },
  expireSeconds: number,
): Promise<void> {
  const marked = await tx
    .updateTable("upload")
    .set({
      state: "complete",
      leaseUntil: null,
      expiresAt: after(expireSeconds),
      clipId: outcome.clipId,
      clipCreated: outcome.created,
    })
    .where("id", "=", uploadId)
    .where("fence", "=", fence)
    .where("state", "=", "receiving")
    .executeTakeFirst();
  if (marked.numUpdatedRows !== 1n) throw locked();
}

/**
 * Ends an upload of which no clip comes any more. Its row stays for a while, to say so; its part map does not.
 * @param fence only while this holder has the lease.
 * @returns whether there was one to end.
 */
export async function markGone(tx: Tx, uploadId: string, keepSeconds: number, fence?: number): Promise<boolean> {
  const marked = await tx
    .updateTable("upload")
    .set({
      state: "gone",
      fence: sql<number>`fence + 1`,
      tail: Buffer.alloc(0),
      leaseUntil: null,
      expiresAt: after(keepSeconds),
    })
    .where("id", "=", uploadId)
    .where("state", "=", "receiving")
    .$if(fence !== undefined, (query) => query.where("fence", "=", fence ?? 0))
    .executeTakeFirst();
  await tx.deleteFrom("uploadPart").where("uploadId", "=", uploadId).where(goneRow).execute();
  return marked.numUpdatedRows === 1n;
}

const goneRow = sql<SqlBool>`EXISTS (SELECT FROM upload WHERE upload.id = upload_id AND state = 'gone')`;

/** Living uploads that nobody continued in time, and whose key must be swept. */
export async function expiredUploads(db: Database, limit: number): Promise<{ id: string; objectKey: string }[]> {
  return db
    .selectFrom("upload")
    .select(["id", "objectKey"])
    .where("state", "=", "receiving")
    .where("expiresAt", "<", sql<string>`clock_timestamp()`)
    .orderBy("expiresAt")
    .limit(limit)
    .execute();
}

/** Forgets uploads that were over long ago. */
export async function forgetUploads(db: Database): Promise<void> {
  await db
    .deleteFrom("upload")
    .where("state", "<>", "receiving")
    .where("expiresAt", "<", sql<string>`clock_timestamp()`)
    .execute();
}

function after(seconds: number) {
  return sql<string>`clock_timestamp() + make_interval(secs => ${seconds})`;
}

export function locked(): DocksealError {
  return new DocksealError("upload-locked", { retryAfterSeconds: 1 });
}
