import type { Database, Tx } from "#db";
import { DocksealError, newId } from "#kernel";
import { unlessTaken } from "./organizations.ts";
import type { StationActor } from "./roles.ts";
import { newSecret, secretDigest } from "./secrets.ts";

export interface Station {
  readonly id: string;
  readonly organizationId: string;
  readonly number: string;
  readonly name: string;
}

/**
 * Registers a docking station and issues its first token.
 * @returns the token in plain; it is stored hashed and cannot be shown again.
 * @throws DocksealError `conflict` when the station number is taken.
 */
export async function createStation(
  tx: Tx,
  wanted: { organizationId: string; number: string; name: string },
): Promise<{ station: Station; token: string }> {
  const station = { id: newId(), ...wanted };
  await unlessTaken(`A station with number ${wanted.number} exists`, () =>
    tx.insertInto("station").values(station).executeTakeFirstOrThrow(),
  );
  return { station, token: await issueStationToken(tx, station.id) };
}

/** The organization's station of that number with a token, made when there is none; older tokens of it stay valid. */
export async function ensureStation(
  tx: Tx,
  wanted: { organizationId: string; number: string; name: string },
): Promise<{ station: Station; token: string }> {
  const station = await tx
    .selectFrom("station")
    .select(["id", "organizationId", "number", "name"])
    .where("organizationId", "=", wanted.organizationId)
    .where("number", "=", wanted.number)
    .executeTakeFirst();
  return station === undefined
    ? createStation(tx, wanted)
    : { station, token: await issueStationToken(tx, station.id) };
}

/** A further token; those that exist stay valid until they are revoked, so that a station can be changed over. */
export async function issueStationToken(tx: Tx, stationId: string): Promise<string> {
  const secret = newSecret("dst");
  await tx
    .insertInto("stationToken")
    .values({ id: newId(), stationId, tokenHash: secret.digest })
    .executeTakeFirstOrThrow();
  return secret.plain;
}

/** Revokes all tokens of a station. @returns how many were revoked. */
export async function revokeStationTokens(tx: Tx, stationId: string): Promise<number> {
  const result = await tx
    .updateTable("stationToken")
    .set({ revokedAt: new Date().toISOString() })
    .where("stationId", "=", stationId)
    .where("revokedAt", "is", null)
    .executeTakeFirstOrThrow();
  return Number(result.numUpdatedRows);
}

/** @throws DocksealError `token-unknown` for a token that was never issued or was revoked. */
export async function stationOfToken(db: Database, token: string): Promise<StationActor> {
  const row = await db
    .selectFrom("stationToken")
    .innerJoin("station", "station.id", "stationToken.stationId")
    .select(["station.id", "station.organizationId"])
    .where("stationToken.tokenHash", "=", secretDigest(token))
    .where("stationToken.revokedAt", "is", null)
    .executeTakeFirst();
  if (row === undefined) throw new DocksealError("token-unknown");
  return { type: "station", ...row };
}

/** Stations of an organization, by number. */
export function stationsOf(db: Database, organizationId: string): Promise<Station[]> {
  return db
    .selectFrom("station")
    .select(["id", "organizationId", "number", "name"])
    .where("organizationId", "=", organizationId)
    .orderBy("number")
    .execute();
}

export async function stationById(db: Database, id: string, organizationId: string): Promise<Station> {
  const station = await db
    .selectFrom("station")
    .select(["id", "organizationId", "number", "name"])
    .where("id", "=", id)
    .where("organizationId", "=", organizationId)
    .executeTakeFirst();
  if (station === undefined) throw new DocksealError("not-found", { detail: "No such station in your organization" });
  return station;
}

/**
 * The recorder with that serial. One that nobody registered yet is registered with the station's organization:
 * to refuse its footage would be to lose it.
 * @throws DocksealError `other-organization` when it belongs to another one.
 */
export async function recorderForStation(tx: Tx, station: StationActor, serial: string): Promise<string> {
  await tx
    .insertInto("recorder")
    .values({ id: newId(), organizationId: station.organizationId, serial })
    .onConflict((conflict) => conflict.column("serial").doNothing())
    .execute();
  return checkedRecorder(tx, station, serial, true) as Promise<string>;
}

/**
 * As {@link recorderForStation}, but registers nothing: for refusing before a body is read.
 * @returns undefined when the recorder is not registered yet.
 */
export function knownRecorder(db: Database, station: StationActor, serial: string): Promise<string | undefined> {
  return checkedRecorder(db, station, serial, false);
}

async function checkedRecorder(db: Database | Tx, station: StationActor, serial: string, must: boolean) {
  const query = db.selectFrom("recorder").select(["id", "organizationId"]).where("serial", "=", serial);
  const recorder = must ? await query.executeTakeFirstOrThrow() : await query.executeTakeFirst();
  if (recorder !== undefined && recorder.organizationId !== station.organizationId) {
    throw new DocksealError("other-organization");
  }
  return recorder?.id;
}
