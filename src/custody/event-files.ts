import { sql } from "kysely";
import type { Database } from "#db";
import { encodeOpening, formatTlogProof, inclusionProof, type TileReader } from "#evidence";
import { DocksealError, type Json, pause } from "#kernel";
import { publishedSeal } from "./append.ts";
import type { SignedHead } from "./checkpoints.ts";
import { publishedCheckpoint, witnessFigures } from "./cosignatures.ts";
import { tileReader } from "./tiles.ts";

/** An event as three files of an export: what the log holds, what its commitment opens to, and the proof. */
export interface EventFiles {
  readonly index: number;
  readonly type: string;
  /** Bytes of the log entry. */
  readonly entry: Buffer;
  /** Canonical JSON of { details, salt }; undefined for a leaf without commitment, see `publishedSeal`. */
  readonly opening: Buffer | undefined;
  /** A `c2sp.org/tlog-proof@v1` text. */
  readonly proof: string;
}

/** The one head of the log that everything in an export is proven against. */
export interface ProvingCheckpoint extends SignedHead {
  /** When as many cosigned it as the policy of its time wanted: all witnesses so far, and the least that was ever wanted. */
  readonly witnessed: { readonly threshold: number; readonly vkeys: readonly string[] } | undefined;
}

/** Ids of all events about these clips and that case, in the order in which they happened. */
export async function eventsAbout(
  db: Database,
  about: { readonly clipIds: readonly string[]; readonly caseId?: string | undefined },
): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM custody_event
    WHERE clip_id = ANY (${about.clipIds}::uuid[]) OR case_id = ${about.caseId ?? null}::uuid
    ORDER BY at, id`.execute(db);
  return rows.map(({ id }) => id);
}

/** Witnesses answer within seconds, or are away: then an export does without them. */
const witnessSeconds = 20;

/**
 * The newest signed checkpoint that covers all of these events: a witnessed one where the log has witnesses, else with
 * whatever cosignatures it has. Waits for the sequencer, and for witnesses, where it must.
 * @throws DocksealError `log-behind` when no checkpoint covers them after so many seconds.
 */
export async function checkpointCovering(
  db: Database,
  eventIds: readonly string[],
  options: { signal: AbortSignal; seconds?: number },
): Promise<ProvingCheckpoint> {
  const begun = Date.now();
  const { seconds = 60, signal } = options;
  for (;;) {
    signal.throwIfAborted();
    const { rows } = await sql<{ waiting: number; least: number; haveWitnesses: boolean }>`
      SELECT count(*) - count(log_entry.index) AS waiting, coalesce(max(log_entry.index) + 1, 1) AS least,
        EXISTS (SELECT FROM log_witnessed) AS have_witnesses
      FROM unnest(${eventIds}::uuid[]) AS wanted (id) LEFT JOIN log_entry ON log_entry.event_id = wanted.id`.execute(
      db,
    );
    const { waiting = 0, least = 1, haveWitnesses = false } = rows[0] ?? {};
    const waitedSeconds = (Date.now() - begun) / 1000;
    if (waiting === 0) {
      const witnessed = await newestWitnessed(db, least);
      if (witnessed !== undefined) return witnessed;
      const newest = await publishedCheckpoint(db);
      const patient = haveWitnesses && waitedSeconds < witnessSeconds;
      if (newest !== undefined && newest.size >= least && !patient) return { ...newest, witnessed: undefined };
    }
    if (waitedSeconds > seconds) {
      throw new DocksealError("log-behind", { detail: `no checkpoint covers all events; ${waiting} wait for a place` });
    }
    await pause(200, signal);
  }
}

async function newestWitnessed(db: Database, least: number): Promise<ProvingCheckpoint | undefined> {
  const row = await db
    .selectFrom("logWitnessed")
    .innerJoin("logCheckpoint", "logCheckpoint.size", "logWitnessed.size")
    .select(["logWitnessed.size", "logCheckpoint.root", "logWitnessed.note"])
    .where("logWitnessed.size", ">=", least)
    .orderBy("logWitnessed.size", "desc")
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  // Receipts lead to checkpoints of their own time, which other witnesses may have cosigned, under another policy.
  const { standings } = await witnessFigures(db);
  const { least: threshold } = await db
    .selectFrom("logWitnessed")
    .select(({ fn }) => fn.min("threshold").as("least"))
    .executeTakeFirstOrThrow();
  return { ...row, witnessed: { threshold, vkeys: standings.map(({ vkey }) => vkey) } };
}

/** Places of these events in the log; an event that waits for the sequencer has none. */
export async function placesInLog(db: Database, eventIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ id: string; index: number }>`
    SELECT event_id AS id, index FROM log_entry WHERE event_id = ANY (${eventIds}::uuid[])`.execute(db);
  return new Map(rows.map(({ id, index }) => [id, index]));
}

/** Events that are proven with one look at the database. */
const batch = 200;

/** The files of these events, in the log's order, all proven against the same checkpoint. */
export async function* eventFiles(
  db: Database,
  eventIds: readonly string[],
  checkpoint: ProvingCheckpoint,
): AsyncGenerator<EventFiles> {
  const readTile = remembering(tileReader(db));
  const { rows: places } = await sql<{ id: string }>`
    SELECT event_id AS id FROM log_entry WHERE event_id = ANY (${eventIds}::uuid[]) ORDER BY index`.execute(db);
  for (let at = 0; at < places.length; at += batch) {
    const ids = places.slice(at, at + batch).map(({ id }) => id);
    const events = await db
      .selectFrom("custodyEvent")
      .innerJoin("logEntry", "logEntry.eventId", "custodyEvent.id")
      .select(["type", "leaf", "details", "salt", "logEntry.index"])
      .where("custodyEvent.id", "in", ids)
      .orderBy("logEntry.index")
      .execute();
    for (const { index, type, leaf, details, salt } of events) {
      const hashes = await inclusionProof(index, checkpoint.size, readTile);
      yield {
        index,
        type,
        entry: leaf,
        opening: type === publishedSeal ? undefined : encodeOpening({ details: details as Json, salt }),
        proof: formatTlogProof({ index, hashes, checkpoint: checkpoint.note }),
      };
    }
  }
}

/** Events of one case lie close together: each tile is read once, as long as few are held. */
function remembering(read: TileReader, most = 64): TileReader {
  const known = new Map<string, Awaited<ReturnType<TileReader>>>();
  return async (level, index, width) => {
    const name = `${level}/${index}/${width}`;
    const found = known.get(name) ?? (await read(level, index, width));
    known.delete(name);
    known.set(name, found);
    const [oldest] = known.keys();
    if (known.size > most && oldest !== undefined) known.delete(oldest);
    return found;
  };
}
