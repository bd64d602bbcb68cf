import { appendEvent } from "#custody";
import type { Tx } from "#db";
import type { StationActor } from "#identity";
import { DocksealError } from "#kernel";
import { holdClip } from "./clips.ts";

/** What a station says after it removed a file from a card. */
export interface SourceWipe {
  readonly clipId: string;
  readonly station: StationActor;
  /** Digest of the file as it was on the card, lower-case hex. */
  readonly sha256: string;
  /** When it was removed, by the station's clock: RFC 3339. */
  readonly wipedAt: string;
  /** Name on the card; may have folders before it. */
  readonly fileName: string;
}

/**
 * Records that a station wiped its copy, and logs it. The same report again changes nothing.
 * @returns whether it is new.
 * @throws DocksealError `not-found`; `wipe-not-covered` when the clip was never sealed, has other bytes, or did not come
 * from this station: then the file should still have been there.
 */
export async function recordSourceWiped(tx: Tx, wipe: SourceWipe): Promise<boolean> {
  const { clipId, station, sha256, fileName } = wipe;
  const wipedAt = instantOf(wipe.wipedAt);
  await holdClip(tx, clipId);
  const clip = await tx
    .selectFrom("clip")
    .select(["organizationId", "stationId", "sha256", "sealedAt"])
    .where("id", "=", clipId)
    .executeTakeFirstOrThrow();
  if (clip.organizationId !== station.organizationId) throw new DocksealError("not-found", { detail: "No such clip" });
  // Sealed once is enough: that the stored bytes were damaged since does not bring the card's copy back.
  if (clip.sealedAt === null) throw new DocksealError("wipe-not-covered", { detail: "the clip is not sealed" });
  if (clip.sha256 !== sha256) throw new DocksealError("wipe-not-covered", { detail: "the clip has another SHA-256" });
  if (clip.stationId !== station.id && !(await sentAgainBy(tx, clipId, station)))
    throw new DocksealError("wipe-not-covered", { detail: "this station did not send the clip" });

  const same = await tx
    .selectFrom("sourceWipe")
    .select("eventId")
    .where("clipId", "=", clipId)
    .where("stationId", "=", station.id)
    .where("fileName", "=", fileName)
    .where("wipedAt", "=", wipedAt)
    .executeTakeFirst();
  if (same !== undefined) return false;
  const details = { station: station.id, sha256, fileName, wipedAt };
  const eventId = await appendEvent(tx, { type: "clip.source-wiped", clipId, actor: station, details });
  await tx.insertInto("sourceWipe").values({ clipId, stationId: station.id, fileName, wipedAt, eventId }).execute();
  return true;
}

/** A recorder may be docked at several stations: each that sent the clip has its receipt. */
async function sentAgainBy(tx: Tx, clipId: string, station: StationActor): Promise<boolean> {
  const event = await tx
    .selectFrom("custodyEvent")
    .select("id")
    .where("clipId", "=", clipId)
    .where("type", "=", "clip.received-again")
    .where("actor", "=", `station:${station.id}`)
    .limit(1)
    .executeTakeFirst();
  return event !== undefined;
}

/** To the millisecond, in UTC: one instant has one form, so that a repeated report is recognized. */
function instantOf(text: string): string {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new DocksealError("malformed-field", {
      extra: { errors: [{ field: "wipedAt", problem: "is not a time of RFC 3339" }] },
    });
  }
  return new Date(time).toISOString();
}
