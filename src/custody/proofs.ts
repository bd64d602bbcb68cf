import type { Database } from "#db";
import { formatTlogProof, inclusionProof } from "#evidence";
import { canonicalBytes, type Json } from "#kernel";
import { publishedSeal } from "./append.ts";
import { firstWitnessed } from "./cosignatures.ts";
import { vkeyThatSigned } from "./keys-of-log.ts";
import { edgeOf, pathOf, tileReaderWith } from "./tiles.ts";

/** What proves one event: its leaf, what its commitment opens to, and the way up to a signed checkpoint. */
export interface EventProof {
  readonly leaf: Buffer;
  /** canonicalBytes({ details, salt }); undefined for a leaf without commitment, see `publishedSeal`. */
  readonly opening: Buffer | undefined;
  /** A `c2sp.org/tlog-proof@v1` file. */
  readonly proof: string;
  readonly index: number;
  readonly checkpointSize: number;
  /** The log's key that signed that checkpoint; it may have retired since. */
  readonly vkey: string;
  /** True when that checkpoint carries the cosignatures that the policy of its time wanted. */
  readonly witnessed: boolean;
}

/**
 * The proof of one event against the first witnessed checkpoint that covers it, and until there is one, against the
 * first that covers it: the same on every call but for that one change.
 * @returns undefined while no checkpoint covers it yet.
 */
export async function eventProof(db: Database, eventId: string): Promise<EventProof | undefined> {
  const event = await db
    .selectFrom("custodyEvent")
    .innerJoin("logEntry", "logEntry.eventId", "custodyEvent.id")
    .select(["custodyEvent.type", "custodyEvent.leaf", "custodyEvent.details", "custodyEvent.salt", "logEntry.index"])
    .where("custodyEvent.id", "=", eventId)
    .executeTakeFirst();
  if (event === undefined) return undefined;
  const witnessed = await firstWitnessed(db, event.index);
  const checkpoint =
    witnessed ??
    (await db
      .selectFrom("logCheckpoint")
      .select(["size", "note"])
      .where("size", ">", event.index)
      .orderBy("size")
      .limit(1)
      .executeTakeFirst());
  if (checkpoint === undefined) return undefined;
  const places = [...pathOf(event.index, checkpoint.size), ...edgeOf(checkpoint.size)];
  const hashes = await inclusionProof(event.index, checkpoint.size, await tileReaderWith(db, places));
  return {
    leaf: event.leaf,
    opening:
      event.type === publishedSeal ? undefined : canonicalBytes({ details: event.details as Json, salt: event.salt }),
    proof: formatTlogProof({ index: event.index, hashes, checkpoint: checkpoint.note }),
    index: event.index,
    checkpointSize: checkpoint.size,
    vkey: await vkeyThatSigned(db, checkpoint.note),
    witnessed: witnessed !== undefined,
  };
}

/** One line of a chain of custody, as people read it. */
export interface CustodyLine {
  readonly id: string;
  readonly type: string;
  readonly at: string;
  readonly actor: string;
  readonly details: Json;
  /** Place in the log; null while the event waits for the sequencer. */
  readonly index: number | null;
}

/** Everything that happened to a clip, oldest first. */
export async function custodyOfClip(db: Database, clipId: string): Promise<CustodyLine[]> {
  const rows = await db
    .selectFrom("custodyEvent")
    .leftJoin("logEntry", "logEntry.eventId", "custodyEvent.id")
    .select(["custodyEvent.id", "type", "at", "actor", "details", "logEntry.index"])
    .where("clipId", "=", clipId)
    .orderBy("at")
    .orderBy("custodyEvent.id")
    .execute();
  return rows.map((row) => ({ ...row, details: row.details as Json }));
}

/** Figures for `doctor` and `/metrics`. */
export async function logFigures(
  db: Database,
): Promise<{ entries: number; waiting: number; events: number; checkpointSize: number }> {
  const row = await db
    .selectNoFrom((eb) => [
      eb
        .selectFrom("logEntry")
        .select(({ fn }) => fn.countAll<number>().as("n"))
        .as("entries"),
      eb
        .selectFrom("custodyPending")
        .select(({ fn }) => fn.countAll<number>().as("n"))
        .as("waiting"),
      eb
        .selectFrom("custodyEvent")
        .select(({ fn }) => fn.countAll<number>().as("n"))
        .as("events"),
      eb
        .selectFrom("logCheckpoint")
        .select(({ fn }) => fn.max("size").as("n"))
        .as("checkpointSize"),
    ])
    .executeTakeFirstOrThrow();
  return {
    entries: row.entries ?? 0,
    waiting: row.waiting ?? 0,
    events: row.events ?? 0,
    checkpointSize: row.checkpointSize ?? 0,
  };
}
