import type { Database, Tx } from "#db";
import type { TileReader } from "#evidence";

/** Reads tiles of the log (C2SP tlog-tiles, height 8) out of the database. */
export function tileReader(db: Database | Tx): TileReader {
  return async (level, index, width) => {
    const row = await db
      .selectFrom("logTile")
      .select("hashes")
      .where("level", "=", level)
      .where("index", "=", index)
      .executeTakeFirst();
    if (row === undefined || row.hashes.length < width * 32) {
      throw new Error(
        `tile ${level}/${index} of the custody log is missing or shorter than ${width} hashes: run dockseal doctor`,
      );
    }
    return row.hashes.subarray(0, width * 32);
  };
}
