import { createHash } from "node:crypto";
import { sql } from "kysely";
import { appendEvent, clearAlarm, raiseAlarm } from "#custody";
import { type Database, inTransaction } from "#db";
import { imprintsOf, verifyTimestampChain, verifyTimestampToken } from "#evidence";
import { type Clock, DocksealError, isProblem, pause } from "#kernel";
import type { TimestampSource } from "./timestamp-source.ts";

export interface RenewalDependencies {
  readonly db: Database;
  readonly timestamps: TimestampSource;
  readonly clock: Clock;
  /** A timestamp is renewed when its certificate ends within so many days. */
  readonly renewDays: number;
  readonly signal: AbortSignal;
  /** Told about what failed; it is tried again. */
  readonly onError: (error: unknown) => void;
}

const alarm = { kind: "timestamp-renewal", subject: "clips" } as const;
const dayMs = 24 * 3_600_000;
const passEveryMs = 3_600_000;
const batch = 500;
/** Longer than all authorities together may take to answer. */
const claimSeconds = 300;

/** Renews timestamps before their time, hour by hour, until the signal aborts. Every process may run it. */
export async function keepRenewing(deps: RenewalDependencies): Promise<void> {
  while (!deps.signal.aborted) {
    await renewTimestamps(deps).catch(deps.onError);
    await pause(passEveryMs, deps.signal);
  }
}

/**
 * One pass: a new token over the newest one of each clip whose authority's certificate ends soon. Each is kept in a
 * transaction of its own, so that the pass may end anywhere; the next one goes on. Raises an alarm when a timestamp cannot
 * be renewed in time, and clears it when all can.
 * @returns how many were renewed.
 */
export async function renewTimestamps(deps: RenewalDependencies): Promise<number> {
  const { db, clock, renewDays, signal } = deps;
  await noteExpiries(deps);
  let renewed = 0;
  let trouble: string | undefined;
  while (!signal.aborted && trouble === undefined) {
    const due = await claimDue(db, clock.now(), renewDays);
    if (due === undefined) break;
    try {
      if (await renew(deps, due)) renewed += 1;
    } catch (error) {
      if (signal.aborted) break;
      deps.onError(error);
      // An authority that is away is not news yet: there are days left. What it gives and cannot be used is.
      if (isProblem(error, "timestamp-unavailable")) return renewed;
      trouble = error instanceof Error ? error.message : String(error);
    }
  }
  const late = await expired(db, clock.now());
  if (late > 0) trouble = `${late} clips have a timestamp whose certificate ended before it was renewed`;
  if (trouble === undefined) await clearAlarm(db, alarm);
  else {
    const detail = `${trouble}. Look at the authorities in DOCKSEAL_TSA_URL: \`dockseal doctor\` asks each of them.`;
    await raiseAlarm(db, { ...alarm, detail });
  }
  return renewed;
}

/** Looks into the tokens of clips that were sealed since: until when each can be trusted. */
async function noteExpiries({ db, onError, signal }: RenewalDependencies): Promise<void> {
  let after = "00000000-0000-0000-0000-000000000000";
  while (!signal.aborted) {
    const { rows } = await sql<{ clipId: string }>`
      SELECT clip_id FROM seal_timestamp WHERE clip_id > ${after}::uuid
        AND NOT EXISTS (SELECT FROM timestamp_expiry WHERE timestamp_expiry.clip_id = seal_timestamp.clip_id)
      ORDER BY clip_id LIMIT ${batch}`.execute(db);
    for (const { clipId } of rows) {
      try {
        const { validUntil } = newest(await chainOf(db, clipId));
        await db
          .insertInto("timestampExpiry")
          .values({ clipId, generation: 0, validUntil: validUntil.toISOString() })
          .onConflict((conflict) => conflict.column("clipId").doNothing())
          .execute();
      } catch (error) {
        if (!isProblem(error, "timestamp-rejected")) throw error;
        onError(damaged(clipId, error)); // the others go on
      }
      after = clipId;
    }
    if (rows.length < batch) return;
  }
}

interface Due {
  readonly clipId: string;
  readonly generation: number;
}

/** The one whose certificate ends first among those that nobody else renews just now; it is ours for a while. */
async function claimDue(db: Database, now: Date, renewDays: number): Promise<Due | undefined> {
  const soon = new Date(now.getTime() + renewDays * dayMs);
  const { rows } = await sql<Due>`
    UPDATE timestamp_expiry SET claimed_until = clock_timestamp() + make_interval(secs => ${claimSeconds})
    WHERE clip_id = (
      SELECT clip_id FROM timestamp_expiry
      WHERE valid_until > ${now.toISOString()} AND valid_until <= ${soon.toISOString()}
        AND claimed_until <= clock_timestamp()
      ORDER BY valid_until, clip_id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING clip_id, generation`.execute(db);
  return rows[0];
}

/** @returns false when another process was faster. */
async function renew({ db, timestamps, signal }: RenewalDependencies, { clipId, generation }: Due): Promise<boolean> {
  const chain = await chainOf(db, clipId);
  if (chain.tokens.length !== generation + 1) return false;
  const old = newest(chain);
  const imprint = imprintsOf(old.token);
  const { tokenDer, genTime, authority, independent, roots } = await timestamps.stamp(imprint, signal);
  const { validUntil } = verifyTimestampToken(tokenDer, { imprint, roots });
  if (validUntil <= old.validUntil) {
    const ends = validUntil.toISOString().slice(0, 10);
    throw new DocksealError("timestamp-rejected", {
      detail: `timestamps end on ${old.validUntil.toISOString().slice(0, 10)}, and ${authority} gives none that ends later than ${ends}`,
    });
  }
  return inTransaction(db, async (tx) => {
    const mine = await tx
      .updateTable("timestampExpiry")
      .set({ generation: generation + 1, validUntil: validUntil.toISOString() })
      .where("clipId", "=", clipId)
      .where("generation", "=", generation)
      .executeTakeFirstOrThrow();
    if (Number(mine.numUpdatedRows) === 0) return false;
    const eventId = await appendEvent(tx, {
      type: "clip.timestamp-renewed",
      clipId,
      actor: { type: "system", id: "timestamp" },
      details: {
        generation: generation + 1,
        renewedSha256: sha256(old.token),
        timestamp: { tokenSha256: sha256(tokenDer), genTime: genTime.toISOString(), independent },
      },
    });
    await tx
      .insertInto("timestampRenewal")
      .values({
        ...{ clipId, generation: generation + 1, token: tokenDer, generatedAt: genTime.toISOString() },
        ...{ authority, independent, roots: [...roots], eventId },
      })
      .executeTakeFirstOrThrow();
    return true;
  });
}

/** The timestamp of a clip with its renewals, oldest first, and what it is over. */
interface Chain {
  readonly clipId: string;
  readonly manifest: Buffer;
  readonly tokens: readonly Buffer[];
  readonly roots: readonly string[];
}

async function chainOf(db: Database, clipId: string): Promise<Chain> {
  const [seal, renewals] = await Promise.all([
    db
      .selectFrom("sealTimestamp")
      .innerJoin("sealManifest", "sealManifest.clipId", "sealTimestamp.clipId")
      .select(["manifest", "token", "roots"])
      .where("sealTimestamp.clipId", "=", clipId)
      .executeTakeFirstOrThrow(),
    timestampRenewals(db, clipId),
  ]);
  return {
    ...{ clipId, manifest: seal.manifest },
    tokens: [seal.token, ...renewals.map(({ token }) => token)],
    roots: [...new Set([seal, ...renewals].flatMap(({ roots }) => roots))],
  };
}

/** Renewals of a clip's timestamp, oldest first. */
export async function timestampRenewals(db: Database, clipId: string): Promise<{ token: Buffer; roots: string[] }[]> {
  return db
    .selectFrom("timestampRenewal")
    .select(["token", "roots"])
    .where("clipId", "=", clipId)
    .orderBy("generation")
    .execute();
}

/**
 * The newest token and its end. All are checked first: a new token over a bad one would make it look like a good one.
 * @throws DocksealError `timestamp-rejected`.
 */
function newest({ manifest, tokens, roots }: Chain): { token: Buffer; validUntil: Date } {
  const verified = verifyTimestampChain(tokens, { imprint: imprintsOf(manifest), roots });
  const [token, last] = [tokens.at(-1), verified.at(-1)];
  if (token === undefined || last === undefined) throw new RangeError("a chain has a token");
  return { token, validUntil: last.validUntil };
}

async function expired(db: Database, now: Date): Promise<number> {
  const { count } = await db
    .selectFrom("timestampExpiry")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .where("validUntil", "<=", now.toISOString())
    .executeTakeFirstOrThrow();
  return Number(count);
}

function damaged(clipId: string, cause: DocksealError): DocksealError {
  return new DocksealError("timestamp-rejected", {
    detail: `stored timestamp of clip ${clipId}: ${cause.message}`,
    cause,
  });
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
