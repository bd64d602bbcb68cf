import { type Database, speakingDatabase } from "#db";
import { consistencyProof, inclusionProof, TILE_WIDTH, type TileName, tileWidthAt } from "#evidence";
import type { SignedHead } from "./checkpoints.ts";
import { edgeOf, pathOf, tileReaderWith } from "./tiles.ts";

/** A head with the time at which it was signed. */
export interface TimedHead extends SignedHead {
  readonly signedAt: Date;
}

/** The newest signed head. Nothing beyond it is ever served: an entry that no checkpoint covers may yet be undone. */
export async function newestHead(db: Database): Promise<TimedHead | undefined> {
  const row = await speakingDatabase(() =>
    db
      .selectFrom("logCheckpoint")
      .select(["size", "root", "note", "signedAt"])
      .orderBy("size", "desc")
      .limit(1)
      .executeTakeFirst(),
  );
  return row === undefined ? undefined : { ...row, signedAt: new Date(row.signedAt) };
}

/**
 * Hashes of a tile, exactly as many as its name says (C2SP tlog-tiles).
 * @returns undefined for a tile, or a width, that the signed tree of `size` does not have.
 */
export async function tileHashes(db: Database, size: number, name: TileName): Promise<Buffer | undefined> {
  const { level = 0, index, width } = name;
  if (width > tileWidthAt(size, name)) return undefined;
  const read = await tileReaderWith(db, [{ level, index }]);
  return read(level, index, width);
}

/** Bytes of the entries of an entry bundle. @returns undefined as {@link tileHashes} does. */
export async function bundleEntries(db: Database, size: number, name: TileName): Promise<Buffer[] | undefined> {
  if (name.width > tileWidthAt(size, name)) return undefined;
  const start = name.index * TILE_WIDTH;
  return entriesBetween(db, start, start + name.width);
}

/**
 * Bytes of the entries `start` to `end`, the latter not included.
 * @throws Error when the log has a hole there: then `dockseal fsck` names it.
 */
export async function entriesBetween(db: Database, start: number, end: number): Promise<Buffer[]> {
  const rows = await db
    .selectFrom("logEntry")
    .innerJoin("custodyEvent", "custodyEvent.id", "logEntry.eventId")
    .select("custodyEvent.leaf")
    .where("logEntry.index", ">=", start)
    .where("logEntry.index", "<", end)
    .orderBy("logEntry.index")
    .execute();
  if (rows.length !== end - start)
    throw new Error(`entries ${start} to ${end - 1} of the custody log are not all there`);
  return rows.map(({ leaf }) => leaf);
}

/** Inclusion proof of an entry in the tree of that size (RFC 6962 §2.1.1). */
export async function inclusionAt(db: Database, index: number, size: number): Promise<Buffer[]> {
  return inclusionProof(index, size, await tileReaderWith(db, [...pathOf(index, size), ...edgeOf(size)]));
}

/** Proof that the tree of one size is the beginning of that of another (RFC 6962 §2.1.2). */
export async function consistencyBetween(db: Database, oldSize: number, newSize: number): Promise<Buffer[]> {
  const places = oldSize === 0 ? [] : [...edgeOf(oldSize), ...pathOf(oldSize - 1, newSize), ...edgeOf(newSize)];
  return consistencyProof(oldSize, newSize, await tileReaderWith(db, places));
}

/** First place of an entry with that leaf hash in a tree of that size. */
export async function indexOfLeaf(db: Database, leafHash: Buffer, size: number): Promise<number | undefined> {
  const row = await db
    .selectFrom("logEntry")
    .select("index")
    .where("leafHash", "=", leafHash)
    .where("index", "<", size)
    .orderBy("index")
    .limit(1)
    .executeTakeFirst();
  return row?.index;
}

/** The event that an entry is about. */
export async function eventIdAt(db: Database, index: number): Promise<string | undefined> {
  const row = await db.selectFrom("logEntry").select("eventId").where("index", "=", index).executeTakeFirst();
  return row?.eventId;
}
