import { sql } from "kysely";
import { type Database, idCursor, pageOf } from "#db";
import type { ClipMetadata } from "#metadata";

/** A resumable upload that is not complete, and that its station may still go on with. */
export interface UploadUnderWay {
  readonly id: string;
  readonly stationId: string;
  readonly stationName: string;
  readonly recorderSerial: string;
  readonly fileName: string;
  readonly sizeBytes: number;
  /** What is held of it. */
  readonly offsetBytes: number;
  /** Bytes come in at this moment: somebody holds the upload's lease. */
  readonly receiving: boolean;
  readonly begunAt: string;
  /** When it is ended unless its station goes on. */
  readonly expiresAt: string;
}

/** Of an organization's stations, newest first. */
export async function uploadsUnderWay(
  db: Database,
  of: { readonly organizationId: string; readonly cursor?: string | undefined; readonly limit: number },
): Promise<{ items: UploadUnderWay[]; next?: string }> {
  let query = db
    .selectFrom("upload")
    .innerJoin("station", "station.id", "upload.stationId")
    .select(["upload.id", "stationId", "station.name as stationName", "metadata", "sizeBytes", "begunAt", "expiresAt"])
    .select(sql<number>`stored_bytes + length(tail)`.as("offsetBytes"))
    .select(sql<boolean>`coalesce(lease_until > clock_timestamp(), false)`.as("receiving"))
    .where("upload.organizationId", "=", of.organizationId)
    .where("state", "=", "receiving")
    .where("expiresAt", ">", sql<string>`clock_timestamp()`)
    .orderBy("upload.id", "desc")
    .limit(of.limit + 1);
  if (of.cursor !== undefined) query = query.where("upload.id", "<", idCursor(of.cursor));
  const rows = (await query.execute()).map(({ metadata, ...rest }) => {
    const { recorderSerial, fileName } = metadata as ClipMetadata;
    return { ...rest, recorderSerial, fileName };
  });
  return pageOf(rows, of.limit, ({ id }) => id);
}
