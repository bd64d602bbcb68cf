import { TILE_WIDTH } from "./tiles.ts";

/** A tile or entry bundle as its address names it (C2SP tlog-tiles, "Merkle Tree"). */
export interface TileName {
  /** 0 to 63; undefined for an entry bundle. */
  readonly level: number | undefined;
  readonly index: number;
  /** 256, or 1 to 255 for a partial one. */
  readonly width: number;
}

/** Path elements of an index: 1234067 is `x001/x234/067`. */
export function tileIndexPath(index: number): string {
  const digits = String(index);
  return digits.padStart(Math.ceil(digits.length / 3) * 3, "0").replace(/\d{3}(?=\d)/g, "x$&/");
}

/** The address below `<prefix>/tile/`: `<L>/<N>[.p/<W>]`, or `entries/<N>[.p/<W>]`. */
export function tilePath({ level, index, width }: TileName): string {
  const partial = width === TILE_WIDTH ? "" : `.p/${width}`;
  return `${level ?? "entries"}/${tileIndexPath(index)}${partial}`;
}

/**
 * Reads an address below `<prefix>/tile/`. Each tile has exactly one: what is spelt otherwise is no tile.
 * @returns undefined for anything else.
 */
export function parseTilePath(path: string): TileName | undefined {
  const match = /^(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const level = match[1] === "entries" ? undefined : Number(match[1]);
  const index = Number(match[2].replace(/[x/]/g, ""));
  const width = match[3] === undefined ? TILE_WIDTH : Number(match[3]);
  const name = { level, index, width };
  if ((level ?? 0) > 63 || width < 1 || width > TILE_WIDTH || !Number.isSafeInteger(index)) return undefined;
  return tilePath(name) === path ? name : undefined;
}

/** How many hashes (or entries) the tile has in a tree of that size; 0 when it has none (C2SP tlog-tiles, "Partial Tiles"). */
export function tileWidthAt(size: number, { level = 0, index }: Pick<TileName, "level" | "index">): number {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  return Math.max(0, Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH));
}
