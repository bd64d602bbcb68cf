import { createHash, randomBytes } from "node:crypto";
import { appendEvent } from "#custody";
import type { Database, Tx } from "#db";
import { type PersonActor, type StationActor, stationById } from "#identity";
import { DocksealError, newId } from "#kernel";
import { checkedAddresses, isAmong } from "./addresses.ts";
import { checkedZone } from "./zone.ts";

/** A station that showed a key of the gateway, from an address that the key may be used from. */
export interface GatewayStation {
  readonly actor: StationActor;
  readonly number: string;
  readonly name: string;
  /** Zone of the station's clock: an offset or an IANA name. */
  readonly zone: string;
  /** Where the request came from. */
  readonly sourceAddress: string;
}

/** A key without itself. */
export interface GatewayKey {
  readonly id: string;
  readonly addresses: string[];
  readonly zone: string;
  readonly createdAt: string;
}

/**
 * Issues a key for a station that speaks the gateway's dialect. Those that exist stay valid until they are revoked.
 * @returns the key in plain; it is stored hashed and cannot be shown again.
 * @throws DocksealError `not-found` for a station of another organization, `malformed-field`.
 */
export async function issueGatewayKey(
  tx: Tx,
  by: PersonActor,
  wanted: { stationId: string; addresses: readonly string[]; zone: string },
): Promise<{ key: string } & GatewayKey> {
  const station = await stationById(tx, wanted.stationId, by.organizationId);
  const addresses = checkedAddresses(wanted.addresses);
  const zone = checkedZone(wanted.zone);
  // 24 random bytes as 32 letters that need no escaping in a query string: old stations have short fields for it.
  const key = randomBytes(24).toString("base64url");
  const row = await tx
    .insertInto("gatewayKey")
    .values({ id: newId(), stationId: station.id, keyHash: keyDigest(key), addresses, zone })
    .returning(["id", "addresses", "zone", "createdAt"])
    .executeTakeFirstOrThrow();
  await appendEvent(tx, {
    type: "station.gateway-key-issued",
    subject: { station: station.id },
    actor: by,
    details: { keyId: row.id, addresses, zone },
  });
  return { key, ...row };
}

/** Revokes all gateway keys of a station. @returns how many were revoked. */
export async function revokeGatewayKeys(tx: Tx, by: PersonActor, stationId: string): Promise<number> {
  const station = await stationById(tx, stationId, by.organizationId);
  const revoked = await tx
    .updateTable("gatewayKey")
    .set({ revokedAt: new Date().toISOString() })
    .where("stationId", "=", station.id)
    .where("revokedAt", "is", null)
    .returning("id")
    .execute();
  if (revoked.length > 0) {
    await appendEvent(tx, {
      type: "station.gateway-key-revoked",
      subject: { station: station.id },
      actor: by,
      details: { keyIds: revoked.map(({ id }) => id) },
    });
  }
  return revoked.length;
}

/** Keys that are not revoked, of these stations. */
export function gatewayKeysOf(
  db: Database,
  stationIds: readonly string[],
): Promise<(GatewayKey & { stationId: string })[]> {
  if (stationIds.length === 0) return Promise.resolve([]);
  return db
    .selectFrom("gatewayKey")
    .select(["id", "stationId", "addresses", "zone", "createdAt"])
    .where("stationId", "in", [...stationIds])
    .where("revokedAt", "is", null)
    .orderBy("createdAt")
    .execute();
}

/**
 * The station of that number, when the key is its own and may be used from there.
 * @throws DocksealError `gateway-key-refused` for a key that is wrong, another station's or revoked, `source-address-refused`.
 */
export async function stationOfGatewayKey(
  db: Database,
  shown: { number: string | undefined; key: string | undefined; sourceAddress: string },
): Promise<GatewayStation> {
  if (shown.number === undefined || shown.key === undefined) throw new DocksealError("gateway-key-refused");
  const row = await db
    .selectFrom("gatewayKey")
    .innerJoin("station", "station.id", "gatewayKey.stationId")
    .select(["station.id", "station.organizationId", "station.number", "station.name", "gatewayKey.zone", "addresses"])
    .where("gatewayKey.keyHash", "=", keyDigest(shown.key))
    .where("station.number", "=", shown.number)
    .where("gatewayKey.revokedAt", "is", null)
    .executeTakeFirst();
  if (row === undefined) throw new DocksealError("gateway-key-refused");
  if (!isAmong(shown.sourceAddress, row.addresses)) {
    throw new DocksealError("source-address-refused", { detail: `not from ${shown.sourceAddress}` });
  }
  const { id, organizationId, number, name, zone } = row;
  const { sourceAddress } = shown;
  return { actor: { type: "station", id, organizationId }, number, name, zone, sourceAddress };
}

/** 192 random bits need no slow hash. */
function keyDigest(key: string): Buffer {
  return createHash("sha256").update(key, "utf8").digest();
}
