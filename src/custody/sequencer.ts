import { sql } from "kysely";
import { type Database, inTransaction, type Tx } from "#db";
import { appendToTiles } from "#evidence";
import { type Clock, pause, systemClock } from "#kernel";
import { CheckpointSigner, refusalOf, type SignerDependencies } from "./checkpoint-signer.ts";
import { logGrew } from "./log-grew.ts";
import { isSequencer } from "./one-sequencer.ts";
import { type HeadFile, headFileIn } from "./outside-heads.ts";
import { edgeOf, tileReaderWith, writeTiles } from "./tiles.ts";

/** Entries of one transaction: well under a second of work, so that a checkpoint comes soon also after a backlog. */
const entriesAtOnce = 4000;

/**
 * Gives waiting events their places in the log and grows the tiles, in one transaction.
 * @returns how many events were sequenced; 0 also when another process is the sequencer just now.
 */
export function sequenceBatch(db: Database, limit = entriesAtOnce): Promise<number> {
  return inTransaction(db, async (tx) => {
    if (!(await isSequencer(tx))) return 0;
    const { size, hashes } = await takeWaiting(tx, limit);
    if (hashes.length === 0) return 0;
    await sql`SELECT pg_notify(${logGrew}, '')`.execute(tx);
    await writeTiles(tx, await appendToTiles(size, hashes, await tileReaderWith(tx, edgeOf(size))));
    return hashes.length;
  });
}

/**
 * Makes entries of the events that wait longest. The statement after the lock, so that its snapshot holds whatever the
 * sequencer before us committed. Rows are taken by their place on disk, and events by their key: the planner, who may
 * know the queue as empty, gets no join to misjudge. Nobody else removes rows or moves them.
 * @returns the size of the log before, and the hashes of the new leaves (RFC 6962 §2.1) in order.
 */
async function takeWaiting(tx: Tx, limit: number): Promise<{ size: number; hashes: Buffer[] }> {
  const { rows } = await sql<{ index: number; leafHash: Buffer }>`
    WITH oldest AS (
      DELETE FROM custody_pending
      WHERE ctid = ANY (ARRAY(SELECT ctid FROM custody_pending ORDER BY position LIMIT ${limit}))
      RETURNING position, event_id),
    taken AS MATERIALIZED (
      SELECT event_id, sha256('\\x00'::bytea || leaf) AS leaf_hash,
        (SELECT coalesce(max(index) + 1, 0) FROM log_entry) + row_number() OVER (ORDER BY position) - 1 AS index
      FROM oldest JOIN custody_event ON custody_event.id = event_id),
    entries AS (INSERT INTO log_entry (index, event_id, leaf_hash) SELECT index, event_id, leaf_hash FROM taken)
    SELECT index, leaf_hash FROM taken ORDER BY index`.execute(tx);
  return { size: rows[0]?.index ?? 0, hashes: rows.map((row) => row.leafHash) };
}

export interface SequencerOptions extends Omit<SignerDependencies, "headFile" | "clock"> {
  readonly signal: AbortSignal;
  /** Told about a failed round; the next one tries again. */
  readonly onError: (error: unknown) => void;
  /** Least time from one checkpoint to the next, while events keep coming. */
  readonly pauseMs?: number;
  readonly headFile?: HeadFile;
  readonly clock?: Clock;
}

/**
 * Sequences and signs until `signal` aborts: a checkpoint after each batch. Every process may run it; the advisory lock
 * lets one work at a time, and whoever signed last looks more often than the others, so that it mostly stays one.
 * While the log refuses to sign, nothing is sequenced either: events wait.
 */
export async function runSequencer(options: SequencerOptions): Promise<void> {
  const { db, key, store, signal, pauseMs = 200 } = options;
  const headFile = options.headFile ?? headFileIn(key.directory);
  const signer = new CheckpointSigner({ db, key, store, headFile, clock: options.clock ?? systemClock });
  while (!signal.aborted) {
    let waitMs = pauseMs;
    try {
      await signer.check();
      const sequenced = await sequenceBatch(db);
      await signer.sign();
      if (sequenced === entriesAtOnce) waitMs = 0;
      else if (!signer.signedLast) waitMs = 2.5 * pauseMs;
    } catch (error) {
      options.onError(error);
      if (refusalOf(error) !== undefined) waitMs = 10 * pauseMs;
    }
    await pause(waitMs, signal);
  }
}
