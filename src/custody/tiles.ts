import { sql } from "kysely";
import type { Database, Tx } from "#db";
import { TILE_WIDTH, type Tile, type TileReader } from "#evidence";
import { DocksealError } from "#kernel";

type TilePlace = Pick<Tile, "level" | "index">;

/** Reads tiles of the log (C2SP tlog-tiles, height 8) out of the database. */
export function tileReader(db: Database | Tx): TileReader {
  return async (level, index, width) => {
    const row = await db
      .selectFrom("logTile")
      .select("hashes")
      .where("level", "=", level)
      .where("index", "=", index)
      .executeTakeFirst();
    return wideEnough({ level, index }, row?.hashes, width);
  };
}

/** The same with these tiles read at once, in one statement; any other is read when it is asked for. */
export async function tileReaderWith(db: Database | Tx, places: readonly TilePlace[]): Promise<TileReader> {
  const { rows } = await sql<Tile>`
    SELECT level, index, hashes FROM log_tile
    JOIN unnest(${places.map(({ level }) => level)}::smallint[], ${places.map(({ index }) => index)}::bigint[])
      AS wanted (level, index) USING (level, index)`.execute(db);
  const tiles = new Map(rows.map(({ level, index, hashes }) => [`${level}/${index}`, hashes]));
  const readOther = tileReader(db);
  return async (level, index, width) => {
    const hashes = tiles.get(`${level}/${index}`);
    return hashes === undefined ? readOther(level, index, width) : wideEnough({ level, index }, hashes, width);
  };
}

/** The tiles at the right edge of a tree of that size: what its root and its growth need. */
export function edgeOf(size: number): TilePlace[] {
  const places: TilePlace[] = [];
  for (let level = 0, width = size; width > 0; level += 1, width = Math.floor(width / TILE_WIDTH)) {
    if (width % TILE_WIDTH > 0) places.push({ level, index: Math.floor(width / TILE_WIDTH) });
  }
  return places;
}

/** The tiles that hold an entry or hashes over it. */
export function pathOf(index: number, size: number): TilePlace[] {
  const places: TilePlace[] = [];
  for (let level = 0, at = index, width = size; width > 0; level += 1) {
    at = Math.floor(at / TILE_WIDTH);
    places.push({ level, index: at });
    width = Math.floor(width / TILE_WIDTH);
  }
  return places;
}

/** Writes tiles that are new or have grown. A trigger of the table refuses any other change. */
export async function writeTiles(tx: Tx, tiles: readonly Tile[]): Promise<void> {
  await sql`
    INSERT INTO log_tile (level, index, hashes)
    SELECT * FROM unnest(${tiles.map(({ level }) => level)}::smallint[], ${tiles.map(({ index }) => index)}::bigint[],
      ${tiles.map(({ hashes }) => hashes)}::bytea[])
    ON CONFLICT (level, index) DO UPDATE SET hashes = excluded.hashes`.execute(tx);
}

function wideEnough({ level, index }: TilePlace, hashes: Buffer | undefined, width: number): Buffer {
  if (hashes === undefined || hashes.length < width * 32) {
    throw new DocksealError("internal", {
      detail: `tile ${level}/${index} of the custody log is missing or shorter than ${width} hashes: run dockseal fsck`,
    });
  }
  return hashes.subarray(0, width * 32);
}
