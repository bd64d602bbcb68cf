import { sql } from "kysely";
import { type Database, inTransaction, type Tx } from "#db";
import { appendToTiles, leafHash, signCheckpoint, treeRoot } from "#evidence";
import { DocksealError, pause } from "#kernel";
import type { LogKey } from "./log-key.ts";
import { tileReader } from "./tiles.ts";

/** Advisory lock that makes one process at a time the sequencer: "dock" and "seal" as two 32-bit numbers. */
const lock = sql`pg_try_advisory_xact_lock(1685021547, 1936023916)`;

async function isSequencer(tx: Tx): Promise<boolean> {
  const { rows } = await sql<{ mine: boolean }>`SELECT ${lock} AS mine`.execute(tx);
  return rows[0]?.mine === true;
}

async function logSize(tx: Database | Tx): Promise<number> {
  const row = await tx
    .selectFrom("logEntry")
    .select(({ fn }) => fn.max("index").as("last"))
    .executeTakeFirst();
  return row?.last === null || row?.last === undefined ? 0 : Number(row.last) + 1;
}

/**
 * Gives waiting events their places in the log and grows the tiles, in one transaction.
 * @returns how many events were sequenced; 0 also when another process is the sequencer just now.
 */
export function sequenceBatch(db: Database, limit = 1000): Promise<number> {
  return inTransaction(db, async (tx) => {
    if (!(await isSequencer(tx))) return 0;
    const waiting = await tx
      .selectFrom("custodyPending")
      .innerJoin("custodyEvent", "custodyEvent.id", "custodyPending.eventId")
      .select(["custodyEvent.id", "custodyEvent.leaf"])
      .orderBy("custodyPending.position")
      .limit(limit)
      .execute();
    if (waiting.length === 0) return 0;
    const size = await logSize(tx);
    const hashes = waiting.map((event) => leafHash(event.leaf));
    await tx
      .insertInto("logEntry")
      .values(
        waiting.map((event, offset) => ({
          index: size + offset,
          eventId: event.id,
          leafHash: hashes[offset] as Buffer,
        })),
      )
      .execute();
    const tiles = await appendToTiles(size, hashes, tileReader(tx));
    await tx
      .insertInto("logTile")
      .values(tiles)
      .onConflict((conflict) =>
        conflict.columns(["level", "index"]).doUpdateSet((eb) => ({ hashes: eb.ref("excluded.hashes") })),
      )
      .execute();
    const removed = await tx
      .deleteFrom("custodyPending")
      .where(
        "eventId",
        "in",
        waiting.map((event) => event.id),
      )
      .executeTakeFirstOrThrow();
    if (Number(removed.numDeletedRows) !== waiting.length) throw new Error("events were sequenced by somebody else");
    return waiting.length;
  });
}

/**
 * Signs a checkpoint over all entries when there are new ones. They were committed by {@link sequenceBatch} before: what
 * is signed is durable. The tiles must still give the root of the last checkpoint, or nothing is signed.
 * @returns the checkpoint's size, or undefined when there was nothing to sign.
 */
export function signNewCheckpoint(db: Database, key: LogKey): Promise<number | undefined> {
  return inTransaction(db, async (tx) => {
    if (!(await isSequencer(tx))) return undefined;
    const size = await logSize(tx);
    const last = await lastCheckpoint(tx);
    if (size === (last?.size ?? 0)) return undefined;
    const readTile = tileReader(tx);
    if (last !== undefined) {
      const unchanged = size > last.size && (await treeRoot(last.size, readTile)).equals(last.root);
      if (!unchanged) {
        throw new DocksealError("internal", {
          detail: `the custody log no longer continues its checkpoint of size ${last.size}: signing refused, run dockseal doctor`,
        });
      }
    }
    const root = await treeRoot(size, readTile);
    const note = signCheckpoint({ origin: key.origin, size, root, extensions: [] }, [key.signer]);
    await tx.insertInto("logCheckpoint").values({ size, root, note }).executeTakeFirstOrThrow();
    return size;
  });
}

/** The newest signed checkpoint. */
export function lastCheckpoint(db: Database | Tx): Promise<{ size: number; root: Buffer; note: string } | undefined> {
  return db
    .selectFrom("logCheckpoint")
    .select(["size", "root", "note"])
    .orderBy("size", "desc")
    .limit(1)
    .executeTakeFirst();
}

/**
 * Sequences and signs until `signal` aborts. Every process may run it; the advisory lock lets one work at a time.
 * @param onError told about a failed round; the next one tries again.
 */
export async function runSequencer(
  db: Database,
  key: LogKey,
  options: { signal: AbortSignal; pauseMs?: number; onError: (error: unknown) => void },
): Promise<void> {
  const pauseMs = options.pauseMs ?? 200;
  while (!options.signal.aborted) {
    try {
      while ((await sequenceBatch(db)) > 0 && !options.signal.aborted);
      await signNewCheckpoint(db, key);
    } catch (error) {
      options.onError(error);
    }
    await pause(pauseMs, options.signal);
  }
}
