import { sql } from "kysely";
import { appendEvent, raiseAlarm } from "#custody";
import { type Database, inTransaction, type Tx } from "#db";
import { holdClip, recordSourceWiped } from "#ingest";
import { clipsWithReceipt } from "#seal";
import type { GatewayStation } from "./keys.ts";

/** Most numbers of one answer: what is left comes once these are reported as deleted. */
const mostDeletable = 10_000;

/**
 * Numbers of the files that a station may delete: their clips have receipts, by the very rule of the receipt's route,
 * and the station did not say yet that it deleted them. Oldest first.
 */
export async function deletableFiles(db: Database, stationId: string): Promise<string[]> {
  const rows = await db
    .selectFrom("gatewayAnnouncement as announced")
    .select(["fileNumber", "clipId"])
    .where("stationId", "=", stationId)
    .where("clipId", "is not", null)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom("gatewayWipe")
            .select("gatewayWipe.fileNumber")
            .whereRef("gatewayWipe.stationId", "=", "announced.stationId")
            .whereRef("gatewayWipe.fileNumber", "=", "announced.fileNumber"),
        ),
      ),
    )
    .orderBy("id")
    .limit(mostDeletable)
    .execute();
  const held = await clipsWithReceipt(
    db,
    rows.flatMap(({ clipId }) => (clipId === null ? [] : [clipId])),
  );
  return rows.filter(({ clipId }) => clipId !== null && held.has(clipId)).map(({ fileNumber }) => fileNumber);
}

/**
 * Records that a station deleted a file. With a receipt it is a wipe like any other; without one it cannot be undone any
 * more, so it is logged, an alarm is raised, and the station is told. The same report again changes nothing.
 * @returns whether there was a receipt when it was reported first.
 */
export function recordDeletion(db: Database, station: GatewayStation, fileNumber: string): Promise<boolean> {
  const stationId = station.actor.id;
  return inTransaction(db, async (tx) => {
    // Of two reports at once the second waits, and finds the first.
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`wiped ${stationId} ${fileNumber}`}, 0))`.execute(tx);
    const before = await tx
      .selectFrom("gatewayWipe")
      .select("withReceipt")
      .where("stationId", "=", stationId)
      .where("fileNumber", "=", fileNumber)
      .executeTakeFirst();
    if (before !== undefined) return before.withReceipt;
    const announced = await tx
      .selectFrom("gatewayAnnouncement")
      .select(["id", "clipId"])
      .where("stationId", "=", stationId)
      .where("fileNumber", "=", fileNumber)
      .executeTakeFirst();
    const clipId = announced?.clipId ?? null;
    const withReceipt = clipId !== null && (await wipedOnReceipt(tx, station, fileNumber, clipId));
    const eventId = withReceipt ? null : await wipedWithoutReceipt(tx, station, fileNumber, announced);
    await tx.insertInto("gatewayWipe").values({ stationId, fileNumber, clipId, withReceipt, eventId }).execute();
    return withReceipt;
  });
}

async function wipedOnReceipt(tx: Tx, station: GatewayStation, fileName: string, clipId: string): Promise<boolean> {
  await holdClip(tx, clipId);
  if (!(await clipsWithReceipt(tx, [clipId])).has(clipId)) return false;
  const { sha256 } = await tx.selectFrom("clip").select("sha256").where("id", "=", clipId).executeTakeFirstOrThrow();
  // The dialect does not say when: the time of the report is the latest that it can have been.
  const wipedAt = new Date().toISOString();
  await recordSourceWiped(tx, { clipId, station: station.actor, sha256, wipedAt, fileName });
  return true;
}

async function wipedWithoutReceipt(
  tx: Tx,
  { actor }: GatewayStation,
  fileNumber: string,
  announced: { id: string; clipId: string | null } | undefined,
): Promise<string> {
  const found =
    announced === undefined ? "never announced" : announced.clipId === null ? "its bytes never arrived" : "not sealed";
  await raiseAlarm(tx, {
    kind: "gateway-wiped-without-receipt",
    subject: `${actor.id}/${announced?.id ?? "unknown"}`,
    detail: `A station deleted a file without a receipt (${found}). Secure the recorder's card and the station's disk; the event in the log names the file.`,
  });
  return appendEvent(tx, {
    type: "station.wiped-without-receipt",
    ...(announced?.clipId == null ? {} : { clipId: announced.clipId }),
    subject: { station: actor.id },
    actor,
    details: { fileNumber, found },
  });
}
