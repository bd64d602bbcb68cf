import { sql } from "kysely";
import type { Database, Tx } from "#db";
import { MerkleRoot, rootOf, TILE_WIDTH, type Tile } from "#evidence";
import type { Report } from "./finding.ts";

/** Tiles that are compared in one statement. */
const tilesAtOnce = 64;
const hashBytes = 32;

/**
 * The tree made anew from leaf hashes, one after the other, and compared with the tiles that are kept. Memory grows with
 * the logarithm of the size: of each level the tile that is not full yet.
 */
export class DerivedTree {
  readonly #db: Database | Tx;
  readonly #report: Report;
  readonly #root = new MerkleRoot();
  /** Of each level the hashes of its last tile, and how many tiles were full before it. */
  readonly #levels: { hashes: Buffer[]; full: number }[] = [];
  #waiting: Tile[] = [];
  #stored: { readonly index: number; readonly hashes: Buffer } | undefined;

  constructor(db: Database | Tx, report: Report) {
    this.#db = db;
    this.#report = report;
  }

  get size(): number {
    return this.#root.count;
  }

  root(): Buffer {
    return this.#root.root();
  }

  async append(leafHash: Buffer): Promise<void> {
    this.#root.append(leafHash);
    let fresh: Buffer | undefined = leafHash;
    for (let at = 0; fresh !== undefined; at += 1) fresh = this.#appendTo(at, fresh);
    if (this.#waiting.length >= tilesAtOnce) await this.#compare();
  }

  /**
   * Goes on with the hash that the kept tile has for the next entry, in place of an entry that is missing: so that what
   * follows can be compared as well.
   * @returns false when no tile has one.
   */
  async appendStored(): Promise<boolean> {
    const index = Math.floor(this.size / TILE_WIDTH);
    if (this.#stored?.index !== index) {
      const { rows } = await sql<{ hashes: Buffer }>`
        SELECT hashes FROM log_tile WHERE level = 0 AND index = ${index}`.execute(this.#db);
      this.#stored = { index, hashes: rows[0]?.hashes ?? Buffer.alloc(0) };
    }
    const from = (this.size % TILE_WIDTH) * hashBytes;
    const hash = this.#stored.hashes.subarray(from, from + hashBytes);
    if (hash.length < hashBytes) return false;
    await this.append(hash);
    return true;
  }

  /** Compares what is left, and names tiles that the tree does not have. @returns how many tiles it has. */
  async finish(): Promise<number> {
    const extents = this.#levels.map(({ hashes, full }, level) => {
      if (hashes.length > 0) this.#waiting.push({ level, index: full, hashes: Buffer.concat(hashes) });
      return full + (hashes.length > 0 ? 1 : 0);
    });
    await this.#compare();
    const { rows } = await sql<{ level: number; index: number }>`
      SELECT level, index FROM log_tile LEFT JOIN unnest(${extents}::bigint[]) WITH ORDINALITY AS derived (extent, number)
        ON number = level + 1 WHERE index >= coalesce(extent, 0) ORDER BY level, index`.execute(this.#db);
    for (const { level, index } of rows) {
      this.#report({ kind: "log-tile", subject: `${level}/${index}`, detail: "the entries make no such tile" });
    }
    return extents.reduce((sum, extent) => sum + extent, 0);
  }

  /** @returns the hash that a tile which became full gives to the level above. */
  #appendTo(at: number, hash: Buffer): Buffer | undefined {
    this.#levels[at] ??= { hashes: [], full: 0 };
    const level = this.#levels[at];
    level.hashes.push(hash);
    if (level.hashes.length < TILE_WIDTH) return undefined;
    this.#waiting.push({ level: at, index: level.full, hashes: Buffer.concat(level.hashes) });
    const above = rootOf(level.hashes);
    level.hashes = [];
    level.full += 1;
    return above;
  }

  async #compare(): Promise<void> {
    const derived = this.#waiting;
    this.#waiting = [];
    const { rows } = await sql<Tile>`
      SELECT level, index, hashes FROM log_tile
      JOIN unnest(${derived.map(({ level }) => level)}::smallint[], ${derived.map(({ index }) => index)}::bigint[])
        AS wanted (level, index) USING (level, index)`.execute(this.#db);
    const kept = new Map(rows.map((tile) => [`${tile.level}/${tile.index}`, tile.hashes]));
    for (const { level, index, hashes } of derived) {
      const subject = `${level}/${index}`;
      const found = kept.get(subject);
      if (found?.equals(hashes)) continue;
      this.#report({
        kind: "log-tile",
        subject,
        detail: found === undefined ? "is missing" : difference(found, hashes),
      });
    }
  }
}

function difference(found: Buffer, derived: Buffer): string {
  if (found.length !== derived.length) {
    return `has ${found.length / hashBytes} hashes, the entries make ${derived.length / hashBytes}`;
  }
  const first = derived.findIndex((byte, at) => byte !== found[at]);
  return `hash ${Math.floor(first / hashBytes)} of it is not the one that the entries make`;
}
