import { sql } from "kysely";
import type { Tx } from "#db";
import { leafHash } from "#evidence";
import type { Report } from "./finding.ts";
import { type Believed, CheckpointsInOrder } from "./fsck-checkpoints.ts";
import { checkEvent, type EventRow } from "./fsck-event.ts";
import { DerivedTree } from "./fsck-tree.ts";

const rowsAtOnce = 2000;

/** What was read: to be held against what ought to be there. */
interface EntryCounts {
  readonly entries: number;
  readonly waiting: number;
  readonly tiles: number;
  readonly checkpoints: number;
}

/**
 * Derives the whole log anew from the bytes of its entries and names every difference: events against leaves, leaves
 * against entries, entries against tiles and checkpoints, and whatever belongs to nothing. Memory does not grow with it.
 * @param tx of isolation level repeatable read, so that the log stands still meanwhile.
 */
export async function fsckEntries(tx: Tx, believed: Believed, report: Report): Promise<EntryCounts> {
  const tree = new DerivedTree(tx, report);
  const checkpoints = new CheckpointsInOrder(tx, believed, report);
  let entries = 0;
  for await (const entry of entriesInOrder(tx)) {
    entries += 1;
    if (entry.index > tree.size) {
      const missing = entry.index - 1 === tree.size ? "" : ` to ${entry.index - 1}`;
      report({
        kind: "log-entry",
        subject: `${tree.size}${missing}`,
        detail: "no entry stands there, but later ones do",
      });
    }
    while (tree.size < entry.index && (await tree.appendStored())) await checkpoints.upTo(tree.size, () => tree.root());
    const hash = checkEntry(entry, report);
    // Where not even a tile knows what stood there, nothing that follows has a place.
    if (tree.size < entry.index) continue;
    await tree.append(hash);
    await checkpoints.upTo(tree.size, () => tree.root());
  }
  await checkpoints.rest(tree.size);
  const tiles = await tree.finish();
  const waiting = await checkWaiting(tx, report);
  await checkPlaces(tx, report);
  return { entries, waiting, tiles, checkpoints: checkpoints.count };
}

interface Place {
  readonly index: number;
  readonly eventId: string;
  readonly leafHash: Buffer;
}

/** An entry, and its event unless that is lost. */
type EntryRow = Place & { readonly event: EventRow | undefined };

async function* entriesInOrder(tx: Tx): AsyncGenerator<EntryRow> {
  for (let next: number | undefined = 0; next !== undefined; ) {
    const places: Place[] = await tx
      .selectFrom("logEntry")
      .select(["index", "eventId", "leafHash"])
      .where("index", ">=", next)
      .orderBy("index")
      .limit(rowsAtOnce)
      .execute();
    // By their ids: a join would tempt a planner without figures to read all events for each page.
    const events = await eventsWith(
      tx,
      places.map(({ eventId }) => eventId),
    );
    for (const place of places) yield { ...place, event: events.get(place.eventId) };
    const last = places.at(-1);
    next = places.length < rowsAtOnce || last === undefined ? undefined : last.index + 1;
  }
}

async function eventsWith(tx: Tx, ids: readonly string[]): Promise<Map<string, EventRow>> {
  const { rows } = await sql<EventRow>`
    SELECT id, type, clip_id, case_id, at, actor, details, salt, leaf FROM custody_event
    WHERE id = ANY (${ids}::uuid[])`.execute(tx);
  return new Map(rows.map((row) => [row.id, row]));
}

/** @returns the hash that the entry has in the tree: of its bytes, and where they are lost the one that was noted. */
function checkEntry({ index, leafHash: noted, eventId, event }: EntryRow, report: Report): Buffer {
  if (event === undefined) {
    report({ kind: "log-entry", subject: String(index), detail: `the event ${eventId} of this entry does not exist` });
    return noted;
  }
  checkEvent(event, report);
  const hash = leafHash(event.leaf);
  if (!hash.equals(noted)) {
    const detail = `the noted hash is not that of the leaf of event ${eventId}`;
    report({ kind: "log-entry", subject: String(index), detail });
  }
  return hash;
}

/** Events that have no place yet. @returns how many there are. */
async function checkWaiting(tx: Tx, report: Report): Promise<number> {
  let waiting = 0;
  for (let after = "0", more = true; more; ) {
    const { rows } = await sql<{ position: string; eventId: string }>`
      SELECT position::text, event_id FROM custody_pending
      WHERE custody_pending.position > ${after} ORDER BY custody_pending.position LIMIT ${rowsAtOnce}`.execute(tx);
    const events = await eventsWith(
      tx,
      rows.map(({ eventId }) => eventId),
    );
    for (const { eventId } of rows) {
      const event = events.get(eventId);
      if (event !== undefined) checkEvent(event, report);
      else report({ kind: "custody-event", subject: eventId, detail: "it waits for its place, but does not exist" });
    }
    waiting += rows.length;
    after = rows.at(-1)?.position ?? after;
    more = rows.length === rowsAtOnce;
  }
  return waiting;
}

/** Every event stands in the log, or waits, once. */
async function checkPlaces(tx: Tx, report: Report): Promise<void> {
  const { rows: nowhere } = await sql<{ id: string; type: string }>`
    SELECT id, type FROM custody_event
    WHERE NOT EXISTS (SELECT FROM log_entry WHERE event_id = custody_event.id)
      AND NOT EXISTS (SELECT FROM custody_pending WHERE event_id = custody_event.id) ORDER BY id`.execute(tx);
  for (const { id, type } of nowhere) {
    report({
      kind: "custody-event",
      subject: id,
      detail: `the event ${type} is in no log and does not wait for its place`,
    });
  }
  const { rows: twice } = await sql<{ id: string }>`
    SELECT event_id AS id FROM custody_pending
    GROUP BY event_id HAVING count(*) > 1 OR EXISTS (SELECT FROM log_entry WHERE event_id = custody_pending.event_id)
    ORDER BY id`.execute(tx);
  for (const { id } of twice) {
    report({ kind: "custody-event", subject: id, detail: "it waits for a place twice, or although it has one" });
  }
}
