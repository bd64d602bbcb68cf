import { HASH_BYTES, nodeHash, rootOf } from "./merkle.ts";
import { malformed } from "./refuse.ts";

/** Hashes in a full tile: height 8 (C2SP tlog-tiles, "Merkle Tree"). */
export const TILE_WIDTH = 256;

/**
 * Gives a tile's hashes, 32 bytes each, concatenated. `width` (1 to 256) is how many hashes the tile has in the tree
 * being read; more bytes, such as the full tile that a partial one became, are as good.
 */
export type TileReader = (level: number, index: number, width: number) => Promise<Buffer>;

export interface Tile {
  readonly level: number;
  readonly index: number;
  /** 1 to 256 hashes of 32 bytes. */
  readonly hashes: Buffer;
}

/** Root of the tree of `size` leaves (RFC 6962 §2.1). @throws RangeError for a size that is none. */
export async function treeRoot(size: number, readTile: TileReader): Promise<Buffer> {
  requireSize(size);
  return size === 0 ? rootOf([]) : new TiledTree(size, readTile).rangeHash(0, size);
}

/**
 * Inclusion proof of a leaf (RFC 6962 §2.1.1), from the leaf's sibling to the root's child.
 * @throws RangeError unless 0 ≤ index < size.
 */
export async function inclusionProof(index: number, size: number, readTile: TileReader): Promise<Buffer[]> {
  requireSize(size);
  requireSize(index);
  if (index >= size) throw new RangeError(`no leaf ${index} in a tree of ${size}`);
  const tree = new TiledTree(size, readTile);
  const proof: Buffer[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      proof.unshift(await tree.rangeHash(middle, end));
      end = middle;
    } else {
      proof.unshift(await tree.rangeHash(start, middle));
      start = middle;
    }
  }
  return proof;
}

/**
 * Proof that the tree of `oldSize` leaves is a beginning of the tree of `newSize` (RFC 6962 §2.1.2). Empty for equal
 * sizes and for an empty old tree. @throws RangeError unless 0 ≤ oldSize ≤ newSize.
 */
export async function consistencyProof(oldSize: number, newSize: number, readTile: TileReader): Promise<Buffer[]> {
  requireSize(oldSize);
  requireSize(newSize);
  if (oldSize > newSize) throw new RangeError(`a tree of ${oldSize} leaves is no beginning of one of ${newSize}`);
  if (oldSize === 0 || oldSize === newSize) return [];
  const tree = new TiledTree(newSize, readTile);
  const proof: Buffer[] = [];
  let [start, end] = [0, newSize];
  while (end !== oldSize) {
    const middle = start + splitOf(end - start);
    if (oldSize <= middle) {
      proof.unshift(await tree.rangeHash(middle, end));
      end = middle;
    } else {
      proof.unshift(await tree.rangeHash(start, middle));
      start = middle;
    }
  }
  // from the left edge of the tree it is the old root itself, which the verifier has
  if (start !== 0) proof.unshift(await tree.rangeHash(start, end));
  return proof;
}

/**
 * What has to be written when leaves are appended: the full content of every tile that is new or has grown, on every
 * level. A level above holds the hashes of full tiles only (C2SP tlog-tiles, "Partial Tiles").
 * @param readTile reads the tiles of the tree of `oldSize` leaves.
 */
export async function appendToTiles(
  oldSize: number,
  leafHashes: readonly Buffer[],
  readTile: TileReader,
): Promise<Tile[]> {
  requireSize(oldSize);
  requireSize(oldSize + leafHashes.length);
  const written: Tile[] = [];
  let size = oldSize;
  let fresh = leafHashes;
  for (let level = 0; fresh.length > 0; level += 1) {
    const width = size % TILE_WIDTH;
    let index = Math.floor(size / TILE_WIDTH);
    const begun = width === 0 ? [] : [await readHashes(readTile, level, index, width)];
    const row = Buffer.concat([...begun, ...fresh]);
    const full: Buffer[] = [];
    for (let at = 0; at < row.length; at += TILE_WIDTH * HASH_BYTES, index += 1) {
      const hashes = row.subarray(at, at + TILE_WIDTH * HASH_BYTES);
      written.push({ level, index, hashes });
      if (hashes.length === TILE_WIDTH * HASH_BYTES) full.push(rootOf(hashesOf(hashes)));
    }
    size = Math.floor(size / TILE_WIDTH);
    fresh = full;
  }
  return written;
}

/** A tree of fixed size over its tiles; each tile is read once. */
class TiledTree {
  readonly #size: number;
  readonly #readTile: TileReader;
  readonly #tiles = new Map<string, Promise<Buffer>>();

  constructor(size: number, readTile: TileReader) {
    this.#size = size;
    this.#readTile = readTile;
  }

  /** MTH(D[start:end]), where `start` is a multiple of a power of two that is not smaller than the range. */
  async rangeHash(start: number, end: number): Promise<Buffer> {
    const leaves = end - start;
    const split = splitOf(leaves);
    if (leaves !== 1 && leaves !== split * 2) {
      const left = await this.#completeHash(start, split);
      return nodeHash(left, await this.rangeHash(start + split, end));
    }
    return this.#completeHash(start, leaves);
  }

  /** Hash of a complete subtree of 2^k leaves: folded from the hashes of the highest tile that holds it. */
  async #completeHash(start: number, leaves: number): Promise<Buffer> {
    let level = 0;
    let span = 1;
    for (; span * TILE_WIDTH <= leaves; span *= TILE_WIDTH) level += 1;
    const first = start / span;
    const index = Math.floor(first / TILE_WIDTH);
    const tile = await this.#tile(level, index, span);
    const from = (first % TILE_WIDTH) * HASH_BYTES;
    return rootOf(hashesOf(tile.subarray(from, from + (leaves / span) * HASH_BYTES)));
  }

  #tile(level: number, index: number, span: number): Promise<Buffer> {
    const name = `${level}/${index}`;
    const width = Math.min(TILE_WIDTH, Math.floor(this.#size / span) - index * TILE_WIDTH);
    const tile = this.#tiles.get(name) ?? readHashes(this.#readTile, level, index, width);
    this.#tiles.set(name, tile);
    return tile;
  }
}

async function readHashes(readTile: TileReader, level: number, index: number, width: number): Promise<Buffer> {
  const tile = await readTile(level, index, width);
  if (tile.length < width * HASH_BYTES) throw malformed(`tile ${level}/${index} has fewer than ${width} hashes`);
  return tile.subarray(0, width * HASH_BYTES);
}

function* hashesOf(tile: Buffer): Generator<Buffer> {
  for (let at = 0; at < tile.length; at += HASH_BYTES) yield tile.subarray(at, at + HASH_BYTES);
}

/** The largest power of two smaller than `leaves` (1 for one leaf): where RFC 6962 §2.1 splits a tree. */
function splitOf(leaves: number): number {
  let split = 1;
  while (split * 2 < leaves) split *= 2;
  return split;
}

function requireSize(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a size or index of a tree`);
}
