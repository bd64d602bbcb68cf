import type { Database } from "#db";
import { gatewayKeysOf } from "./keys.ts";

/** How a station stands that comes in through the gateway. */
export interface GatewayStanding {
  readonly authentication: "weak";
  /** Source addresses and networks that its keys may be used from. */
  readonly addresses: string[];
  /** Last heartbeat; null before the first one. */
  readonly lastSeenAt: string | null;
  readonly totalMib: number | null;
  readonly freeMib: number | null;
  readonly raidState: string | null;
  readonly alarmType: string | null;
  readonly version: string | null;
}

/** By station; one that never had a key of the gateway has none. */
export async function gatewayStandings(
  db: Database,
  stationIds: readonly string[],
): Promise<ReadonlyMap<string, GatewayStanding>> {
  if (stationIds.length === 0) return new Map();
  const [keys, beats] = await Promise.all([
    gatewayKeysOf(db, stationIds),
    db
      .selectFrom("stationHeartbeat")
      .selectAll()
      .where("stationId", "in", [...stationIds])
      .execute(),
  ]);
  const standings = new Map<string, GatewayStanding>();
  for (const stationId of stationIds) {
    const beat = beats.find((each) => each.stationId === stationId);
    const own = keys.filter((key) => key.stationId === stationId);
    if (beat === undefined && own.length === 0) continue;
    const { totalMib = null, usedMib = null } = beat ?? {};
    standings.set(stationId, {
      authentication: "weak",
      addresses: [...new Set(own.flatMap(({ addresses }) => addresses))],
      lastSeenAt: beat?.seenAt ?? null,
      totalMib,
      freeMib: totalMib === null || usedMib === null ? null : Math.max(0, totalMib - usedMib),
      raidState: beat?.raidState ?? null,
      alarmType: beat?.alarmType ?? null,
      version: beat?.version ?? null,
    });
  }
  return standings;
}

/** What the dialect calls a station's unit: the organization that it belongs to. */
export async function unitOf(db: Database, organizationId: string): Promise<{ id: string; name: string }> {
  return db
    .selectFrom("organization")
    .select(["id", "name"])
    .where("id", "=", organizationId)
    .executeTakeFirstOrThrow();
}

/** Recorders that a station told of, each with what it said last, by serial. */
export function recorderReports(
  db: Database,
  stationId: string,
): Promise<{ recorderSerial: string; reportedAt: string; record: unknown }[]> {
  return db
    .selectFrom("recorderReport")
    .innerJoin("recorder", "recorder.id", "recorderReport.recorderId")
    .select(["recorder.serial as recorderSerial", "reportedAt", "record"])
    .where("stationId", "=", stationId)
    .orderBy("recorder.serial")
    .execute();
}
