import { createHash } from "node:crypto";
import { sql } from "kysely";
import Type from "typebox";
import { appendEvent } from "#custody";
import { type Database, inTransaction } from "#db";
import { recorderForStation } from "#identity";
import { canonicalBytes, DocksealError, type Json, newId } from "#kernel";
import { checked } from "#schema";
import type { GatewayStation } from "./keys.ts";

export const stationLogKinds = ["dsjlog", "dsjlogfile", "wslog", "gpslog"] as const;
export type StationLogKind = (typeof stationLogKinds)[number];

const record = Type.Object({});
const checkRecord = checked(record);
const checkRecorder = checked(Type.Object({ cpxh: Type.String({ pattern: "^[\\x21-\\x7e]{1,64}$" }) }));
const mostRecords = 5000;

/** One object or a list of them, as stations of both habits send. @throws DocksealError `malformed-request`. */
export function recordsOf(body: unknown): unknown[] {
  const list = Array.isArray(body) ? body : [body];
  if (list.length === 0 || list.length > mostRecords) {
    throw new DocksealError("malformed-request", { detail: `1 to ${mostRecords} records in one request` });
  }
  return list;
}

/**
 * Registers recorders with the station's organization and keeps what was said of each last (battery, capacity).
 * @throws DocksealError `malformed-field`, `other-organization`.
 */
export async function recordRecorders(
  db: Database,
  station: GatewayStation,
  records: readonly unknown[],
): Promise<void> {
  const read = records.map((value) => ({ serial: checkRecorder(value).cpxh, record: JSON.stringify(value) }));
  // One order for all: two requests with the same recorders never wait for each other in a circle.
  read.sort((a, b) => (a.serial < b.serial ? -1 : 1));
  await inTransaction(db, async (tx) => {
    for (const { serial, record } of read) {
      const recorderId = await recorderForStation(tx, station.actor, serial);
      const row = { record, reportedAt: sql<string>`clock_timestamp()` };
      await tx
        .insertInto("recorderReport")
        .values({ stationId: station.actor.id, recorderId, ...row })
        .onConflict((conflict) => conflict.columns(["stationId", "recorderId"]).doUpdateSet(row))
        .execute();
    }
  });
}

/**
 * Keeps a batch of a station's log, verbatim, with one event that commits to it. Positions are personal data: they stay
 * in the database, the event has a digest. The same batch again changes nothing.
 * @returns whether it is new.
 */
export async function recordStationLog(
  db: Database,
  station: GatewayStation,
  kind: StationLogKind,
  records: readonly unknown[],
): Promise<boolean> {
  for (const value of records) checkRecord(value);
  const sha256 = createHash("sha256")
    .update(canonicalBytes(records as Json))
    .digest("hex");
  const stationId = station.actor.id;
  return inTransaction(db, async (tx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`log ${stationId} ${kind} ${sha256}`}, 0))`.execute(tx);
    const known = await tx
      .selectFrom("stationLog")
      .select("id")
      .where("stationId", "=", stationId)
      .where("kind", "=", kind)
      .where("sha256", "=", sha256)
      .executeTakeFirst();
    if (known !== undefined) return false;
    const id = newId();
    const eventId = await appendEvent(tx, {
      type: "station.log-received",
      subject: { station: stationId, batch: id },
      actor: station.actor,
      details: { kind, recordCount: records.length, sha256 },
    });
    await tx
      .insertInto("stationLog")
      .values({ id, stationId, kind, recordCount: records.length, sha256, eventId })
      .execute();
    const texts = records.map((value) => JSON.stringify(value));
    await sql`
      INSERT INTO station_log_record (log_id, position, record)
      SELECT ${id}::uuid, ordinality - 1, value::jsonb FROM unnest(${texts}::text[]) WITH ORDINALITY AS list (value, ordinality)`.execute(
      tx,
    );
    return true;
  });
}
