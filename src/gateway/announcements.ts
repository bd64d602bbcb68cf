import { createHash } from "node:crypto";
import { sql } from "kysely";
import { raiseAlarm } from "#custody";
import { type Database, inTransaction, pageOf, type Tx } from "#db";
import { canonicalBytes, DocksealError, isProblem, newId } from "#kernel";
import { type FileRecord, readFileRecord } from "./file-record.ts";
import type { GatewayStation } from "./keys.ts";

/** A file that a station said it has. */
export interface Announcement {
  readonly id: string;
  readonly stationId: string;
  readonly fileNumber: string;
  readonly recorderSerial: string;
  readonly capturedAtRaw: string;
  readonly sizeBytes: number;
  readonly announcedAt: string;
  /** null: its bytes never arrived. */
  readonly clipId: string | null;
  readonly arrivedAt: string | null;
}

const columns = [
  ...(["id", "stationId", "fileNumber", "recorderSerial", "capturedAtRaw"] as const),
  ...(["sizeBytes", "announcedAt", "clipId", "arrivedAt"] as const),
] as const;

/** What became of the records of one request. */
export interface Announced {
  readonly accepted: number;
  readonly refused: {
    readonly position: number;
    readonly number: string | undefined;
    readonly problem: DocksealError;
  }[];
}

/**
 * Takes records of files: each that is sound is an expectation from here on, also when others beside it are refused.
 * The same record again changes nothing; another one of the same file is kept as a further revision.
 */
export async function announceFiles(
  db: Database,
  station: GatewayStation,
  records: readonly unknown[],
): Promise<Announced> {
  const refused: Announced["refused"] = [];
  for (const [position, value] of records.entries()) {
    let record: FileRecord | undefined;
    try {
      record = readFileRecord(value, station.number);
      await announceFile(db, station, record);
    } catch (problem) {
      // A fault of ours is none of the record's: the station sends the whole again.
      if (!isProblem(problem) || problem.status >= 500) throw problem;
      refused.push({ position, number: record?.number, problem });
    }
  }
  return { accepted: records.length - refused.length, refused };
}

/**
 * Takes the record of one file.
 * @throws DocksealError `file-number-reused` when the number stands for another file.
 */
export async function announceFile(db: Database, station: GatewayStation, record: FileRecord): Promise<void> {
  const same = await inTransaction(db, (tx) => keepRecord(tx, station.actor.id, record));
  if (!same) throw await numberReused(db, station, record.number, "recorder, time of capture or length differ");
}

/** @returns false when the number stands for another file. */
async function keepRecord(tx: Tx, stationId: string, record: FileRecord): Promise<boolean> {
  const { recorderSerial, capturedAt: capturedAtRaw, sizeBytes } = record;
  await tx
    .insertInto("gatewayAnnouncement")
    .values({ id: newId(), stationId, fileNumber: record.number, recorderSerial, capturedAtRaw, sizeBytes })
    .onConflict((conflict) => conflict.columns(["stationId", "fileNumber"]).doNothing())
    .execute();
  const kept = await tx
    .selectFrom("gatewayAnnouncement")
    .select(columns)
    .where("stationId", "=", stationId)
    .where("fileNumber", "=", record.number)
    .forUpdate()
    .executeTakeFirstOrThrow();
  if (kept.recorderSerial !== recorderSerial || kept.capturedAtRaw !== capturedAtRaw || kept.sizeBytes !== sizeBytes) {
    return false;
  }
  const sha256 = createHash("sha256").update(canonicalBytes(record.verbatim)).digest("hex");
  const newest = await tx
    .selectFrom("gatewayRecord")
    .select(["revision", "sha256"])
    .where("announcementId", "=", kept.id)
    .orderBy("revision", "desc")
    .limit(1)
    .executeTakeFirst();
  if (newest?.sha256 !== sha256) {
    const revision = (newest?.revision ?? 0) + 1;
    const verbatim = JSON.stringify(record.verbatim);
    await tx
      .insertInto("gatewayRecord")
      .values({ announcementId: kept.id, revision, record: verbatim, sha256 })
      .execute();
  }
  return true;
}

/** The file of that number with the newest record of it. @throws DocksealError `not-announced`. */
export async function announcementOf(
  db: Database,
  station: GatewayStation,
  number: string,
): Promise<{ announcement: Announcement; record: FileRecord; recordSha256: string }> {
  const row = await db
    .selectFrom("gatewayAnnouncement")
    .innerJoin("gatewayRecord", "gatewayRecord.announcementId", "gatewayAnnouncement.id")
    .select([...columns, "record", "sha256"])
    .where("stationId", "=", station.actor.id)
    .where("fileNumber", "=", number)
    .orderBy("revision", "desc")
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) throw new DocksealError("not-announced");
  const { record, sha256, ...announcement } = row;
  return { announcement, record: readFileRecord(record, station.number), recordSha256: sha256 };
}

/** Ties a file number to its clip, in the transaction of the arrival. @returns false when it has another one. */
export async function tieToClip(tx: Tx, announcementId: string, clipId: string): Promise<boolean> {
  const { clipId: tied } = await tx
    .selectFrom("gatewayAnnouncement")
    .select("clipId")
    .where("id", "=", announcementId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  if (tied !== null) return tied === clipId;
  await tx
    .updateTable("gatewayAnnouncement")
    .set({ clipId, arrivedAt: sql<string>`clock_timestamp()` })
    .where("id", "=", announcementId)
    .executeTakeFirstOrThrow();
  return true;
}

/** Two files under one number: refused, and somebody has to look. */
export async function numberReused(
  db: Database,
  station: GatewayStation,
  number: string,
  what: string,
): Promise<DocksealError> {
  const { id: stationId } = station.actor;
  const row = await db
    .selectFrom("gatewayAnnouncement")
    .select("id")
    .where("stationId", "=", stationId)
    .where("fileNumber", "=", number)
    .executeTakeFirst();
  await raiseAlarm(db, {
    kind: "gateway-number-reused",
    subject: `${stationId}/${row?.id ?? "unknown"}`,
    detail: `A station sent two files under one number (${what}). The second was refused and lies on the station alone: secure it there.`,
  });
  return new DocksealError("file-number-reused", { detail: what });
}

/**
 * Files that a station announced, oldest first.
 * @param filter `arrived` false: those whose bytes never came. `after`: cursor of the page before.
 */
export async function announcementsOf(
  db: Database,
  filter: { stationId: string; arrived?: boolean; after?: string; limit: number },
): Promise<{ items: Announcement[]; next?: string }> {
  let query = db
    .selectFrom("gatewayAnnouncement")
    .select(columns)
    .where("stationId", "=", filter.stationId)
    // Ids are UUIDs of version 7: they sort by the time of the announcement.
    .orderBy("id")
    .limit(filter.limit + 1);
  if (filter.arrived !== undefined) query = query.where("clipId", filter.arrived ? "is not" : "is", null);
  if (filter.after !== undefined) query = query.where("id", ">", filter.after);
  return pageOf(await query.execute(), filter.limit, ({ id }) => id);
}
