import { sql } from "kysely";
import Type from "typebox";
import { clearAlarm, raiseAlarm } from "#custody";
import { type Database, inTransaction, type Tx } from "#db";
import { DocksealError } from "#kernel";
import { checked } from "#schema";
import type { GatewayStation } from "./keys.ts";

/** What of a heartbeat is a reason to call somebody. */
export interface HeartbeatLimits {
  /** A station with less room than this is low on space. */
  readonly lowSpacePercent: number;
  /** Values of raid_zt that mean a healthy array. */
  readonly raidHealthy: readonly string[];
}

const number = Type.Union([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  Type.String({ pattern: "^\\d{0,15}$" }),
]);
const short = Type.Union([Type.Integer(), Type.String({ maxLength: 100 })]);

/** gzz_ipdz, zxzt, qizt, cpu, ram and whatever else comes are kept as they are. */
const check = checked(
  Type.Object({
    gzz_xh: Type.Optional(Type.String({ maxLength: 40 })),
    cczrl: Type.Optional(number),
    syzrl: Type.Optional(number),
    raid_zt: Type.Optional(short),
    bjlx: Type.Optional(short),
    version: Type.Optional(short),
  }),
);
const maximumBytes = 8 * 1024;

/**
 * Keeps a station's heartbeat, and raises or clears what it is a reason for.
 * @throws DocksealError `malformed-field`, `body-too-large`.
 */
export async function recordHeartbeat(
  db: Database,
  station: GatewayStation,
  value: unknown,
  limits: HeartbeatLimits,
): Promise<void> {
  const beat = check(value);
  const record = JSON.stringify(value);
  if (Buffer.byteLength(record) > maximumBytes) throw new DocksealError("body-too-large");
  if (beat.gzz_xh !== undefined && beat.gzz_xh !== station.number) {
    const problem = "is another station's number than the one in the address";
    throw new DocksealError("malformed-field", {
      detail: `gzz_xh ${problem}`,
      extra: { errors: [{ field: "gzz_xh", problem }] },
    });
  }
  const totalMib = size(beat.cczrl);
  const usedMib = size(beat.syzrl);
  const raidState = text(beat.raid_zt);
  const alarmType = text(beat.bjlx);
  const seen = { totalMib, usedMib, raidState, alarmType, version: text(beat.version), record };
  const stationId = station.actor.id;
  await inTransaction(db, async (tx) => {
    const row = { ...seen, sourceAddress: station.sourceAddress, seenAt: sql<string>`clock_timestamp()` };
    await tx
      .insertInto("stationHeartbeat")
      .values({ stationId, ...row })
      .onConflict((conflict) => conflict.column("stationId").doUpdateSet(row))
      .execute();
    await clearAlarm(tx, { kind: "gateway-station-silent", subject: stationId });
    const freePercent = totalMib === null || totalMib === 0 || usedMib === null ? null : percent(totalMib, usedMib);
    await settle(
      tx,
      "gateway-low-space",
      stationId,
      freePercent === null ? null : freePercent < limits.lowSpacePercent,
      {
        detail: `A station has ${freePercent} % of its space left. See that its files arrive, and are deleted once it may.`,
      },
    );
    await settle(
      tx,
      "gateway-raid-fault",
      stationId,
      raidState === null ? null : !limits.raidHealthy.includes(raidState),
      {
        detail: `A station says raid_zt ${raidState}. Its disks may be failing: secure what has no receipt yet.`,
      },
    );
    await settle(tx, "gateway-station-alarm", stationId, alarmType === null ? null : alarmType !== "0", {
      detail: `A station says bjlx ${alarmType}. Look what its maker means by it.`,
    });
  });
}

/** @param holds null: the station did not say, so what stood stands. */
async function settle(
  tx: Tx,
  kind: string,
  subject: string,
  holds: boolean | null,
  { detail }: { detail: string },
): Promise<void> {
  if (holds === true) await raiseAlarm(tx, { kind, subject, detail });
  if (holds === false) await clearAlarm(tx, { kind, subject });
}

/** MiB, going by the figures that the stations' public simulators send: no list of the dialect names a unit. */
function size(value: string | number | undefined): number | null {
  return value === undefined || value === "" ? null : Number(value);
}

function text(value: string | number | undefined): string | null {
  return value === undefined || value === "" ? null : String(value);
}

function percent(total: number, used: number): number {
  return Math.floor((100 * Math.max(0, total - used)) / total);
}

/**
 * Raises an alarm for every station that used to beat and has been silent for so long; lets go of one whose keys were
 * all revoked, since nobody expects it any more.
 * @returns ids of the stations for which it is news.
 */
export async function watchSilentStations(db: Database, silentSeconds: number): Promise<string[]> {
  return inTransaction(db, async (tx) => {
    // Holding the rows: a heartbeat that comes at this moment waits, and clears what is raised here.
    const { rows } = await sql<{ stationId: string; seenAt: string; expected: boolean }>`
      SELECT station_id, seen_at, EXISTS (
        SELECT FROM gateway_key WHERE gateway_key.station_id = station_heartbeat.station_id AND revoked_at IS NULL) AS expected
      FROM station_heartbeat WHERE seen_at < clock_timestamp() - make_interval(secs => ${silentSeconds})
      ORDER BY station_id FOR UPDATE OF station_heartbeat SKIP LOCKED`.execute(tx);
    const news: string[] = [];
    for (const { stationId: subject, seenAt, expected } of rows) {
      const kind = "gateway-station-silent";
      const detail = `A station was heard last at ${seenAt}. Look whether it runs and its line is up: its files do not arrive.`;
      if (!expected) await clearAlarm(tx, { kind, subject });
      else if (await raiseAlarm(tx, { kind, subject, detail })) news.push(subject);
    }
    return news;
  });
}
