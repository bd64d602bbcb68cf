import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import type { Test } from "tap";
import { appendEvent, type HeadFile, headFileIn, type LogKey, logKeyIn, sequenceBatch } from "#custody";
import { type Database, inTransaction, migrate, openDatabase, type Tx } from "#db";
import { appendToTiles, leafHash, MerkleRoot, openCheckpoint, openingMatches, parseLeaf } from "#evidence";
import { type Json, newId, systemClock } from "#kernel";
import { type EvidenceStore, openStore } from "#store";
import { CheckpointSigner } from "../../src/custody/checkpoint-signer.ts";
import { testDatabase } from "./postgres.ts";

export const testOrigin = "log.example/custody";

export interface TestLog {
  readonly url: string;
  readonly db: Database;
  readonly key: LogKey;
  readonly store: EvidenceStore;
  /** With `keys` and `evidence` in it. */
  readonly directory: string;
}

/** A log that has no entry yet, in a database of its own. */
export async function testLog(t: Pick<Test, "teardown" | "comment">, pool = 8): Promise<TestLog> {
  const { url } = await testDatabase(t);
  const db = openLogDatabase(t, url, pool);
  await migrate(db);
  const directory = await mkdtemp(join(tmpdir(), "dockseal-log-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const store = await openStore(storeUrlIn(directory), { createBucket: true });
  t.teardown(() => store.close());
  return { url, db, key: await logKeyIn(join(directory, "keys"), testOrigin), store, directory };
}

export function storeUrlIn(directory: string): string {
  return `file://${directory}/evidence?immutable=0`;
}

export function openLogDatabase(t: Pick<Test, "teardown">, url: string, pool = 8): Database {
  const db = openDatabase({ url, pool, onConnectionError: () => undefined });
  t.teardown(() => db.destroy());
  return db;
}

export function signerOf(log: Pick<TestLog, "db" | "key" | "store">, headFile?: HeadFile): CheckpointSigner {
  return new CheckpointSigner({ ...log, headFile: headFile ?? headFileIn(log.key.directory), clock: systemClock });
}

/** What the sequencer does in one round. @returns the size of the checkpoint that was signed. */
export async function round({ db }: Pick<TestLog, "db">, signer: CheckpointSigner): Promise<number | undefined> {
  await signer.check();
  await sequenceBatch(db);
  return signer.sign();
}

/** Appends events in one transaction. @returns their ids: from here on they are promised. */
export function appendSome(db: Database, count: number, among: { clipId?: string } = {}): Promise<string[]> {
  return inTransaction(db, async (tx) => {
    const ids: string[] = [];
    for (let at = 0; at < count; at += 1) ids.push(await appendOne(tx, at, among.clipId));
    return ids;
  });
}

/** Appends one event in a transaction of the caller's. */
export function appendOne(tx: Tx, at: number, clipId = newId()): Promise<string> {
  return appendEvent(tx, { type: "clip.viewed", clipId, actor: { type: "system", id: "test" }, details: { at } });
}

/**
 * Derives the whole log again from the bytes of its leaves.
 * @param promised ids of events that were committed.
 * @param vkeys keys that may have signed.
 * @returns what differs; empty when nothing does.
 */
export async function logDifferences(
  db: Database,
  vkeys: readonly string[],
  promised: readonly string[] = [],
): Promise<string[]> {
  const differences: string[] = [];
  const entries = await db
    .selectFrom("logEntry")
    .innerJoin("custodyEvent", "custodyEvent.id", "logEntry.eventId")
    .select(["index", "leafHash", "id", "leaf", "details", "salt", "at"])
    .orderBy("index")
    .execute();
  const heads = await db.selectFrom("logCheckpoint").select(["size", "root", "note"]).orderBy("size").execute();
  const tree = new MerkleRoot();
  const rootAt = new Map<number, Buffer>();
  const wanted = new Set(heads.map(({ size }) => size));
  for (const [at, entry] of entries.entries()) {
    const leaf = parseLeaf(entry.leaf);
    if (entry.index !== at) differences.push(`place ${at} is empty: next is ${entry.index}`);
    if (!leafHash(entry.leaf).equals(entry.leafHash)) differences.push(`entry ${at}: its hash is not that of its leaf`);
    if (leaf.id !== entry.id) differences.push(`entry ${at}: the leaf is of another event`);
    if (!openingMatches(leaf, { details: entry.details as Json, salt: entry.salt })) {
      differences.push(`entry ${at}: the commitment does not open`);
    }
    if (new Date(entry.at).toISOString() !== leaf.at) differences.push(`entry ${at}: another time than its leaf`);
    tree.append(leafHash(entry.leaf));
    if (wanted.has(at + 1)) rootAt.set(at + 1, tree.root());
  }
  for (const { size, root, note } of heads) {
    const opened = openCheckpoint(note, vkeys, testOrigin);
    if (opened.size !== size || !opened.root.equals(root)) differences.push(`checkpoint ${size}: row and note differ`);
    if (rootAt.get(size)?.equals(root) !== true) differences.push(`checkpoint ${size}: not the root of these entries`);
  }
  const tiles = await appendToTiles(
    0,
    entries.map((entry) => leafHash(entry.leaf)),
    () => Promise.reject(new Error("a new tree has no tiles")),
  );
  const kept = await db.selectFrom("logTile").select(["level", "index", "hashes"]).execute();
  const keptAt = new Map(kept.map((tile) => [`${tile.level}/${tile.index}`, tile.hashes]));
  if (kept.length !== tiles.length) differences.push(`${kept.length} tiles are kept, ${tiles.length} derived`);
  for (const { level, index, hashes } of tiles) {
    if (keptAt.get(`${level}/${index}`)?.equals(hashes) !== true) differences.push(`tile ${level}/${index} differs`);
  }
  const { rows: places } = await sql<{ id: string; entries: number; waiting: number }>`
    SELECT id, (SELECT count(*) FROM log_entry WHERE event_id = id) AS entries,
      (SELECT count(*) FROM custody_pending WHERE event_id = id) AS waiting FROM custody_event`.execute(db);
  for (const { id, entries, waiting } of places) {
    if (entries + waiting !== 1) differences.push(`event ${id}: ${entries} entries and ${waiting} times waiting`);
  }
  const known = new Set(places.map(({ id }) => id));
  for (const id of promised) if (!known.has(id)) differences.push(`event ${id} was promised and is gone`);
  return differences;
}
