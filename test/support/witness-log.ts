import {
  appendToTiles,
  consistencyProof,
  formatAddCheckpoint,
  leafHash,
  noteKeyPair,
  parseSkey,
  signCheckpoint,
  type Tile,
  treeRoot,
} from "#evidence";

/** A log in memory that can be rewritten: what a witness is for. */
export class RewritableLog {
  readonly origin: string;
  readonly signer;
  readonly #tiles = new Map<string, Tile>();
  #size = 0;

  constructor(origin = "county.example/log", seed = 1) {
    this.origin = origin;
    this.signer = parseSkey(noteKeyPair(origin, Buffer.alloc(32, seed)).skey);
  }

  get size(): number {
    return this.#size;
  }

  readonly #read = async (level: number, index: number): Promise<Buffer> =>
    this.#tiles.get(`${level}/${index}`)?.hashes ?? Buffer.of();

  /** Grows to a size. Entries are their index and `story`: another story is another history. */
  async growTo(size: number, story = "what happened"): Promise<this> {
    const hashes = Array.from({ length: size - this.#size }, (_, at) =>
      leafHash(Buffer.from(`${this.#size + at} ${story}`)),
    );
    for (const tile of await appendToTiles(this.#size, hashes, this.#read)) {
      this.#tiles.set(`${tile.level}/${tile.index}`, tile);
    }
    this.#size = size;
    return this;
  }

  /** The signed checkpoint of a size up to the log's. */
  async checkpoint(size = this.#size): Promise<string> {
    const root = await treeRoot(size, this.#read);
    return signCheckpoint({ origin: this.origin, size, root, extensions: [] }, [this.signer]);
  }

  /** Body of an honest request. */
  async request(oldSize: number, size = this.#size): Promise<string> {
    const proof = oldSize <= size ? await consistencyProof(oldSize, size, this.#read) : [];
    return formatAddCheckpoint({ oldSize, proof, checkpoint: await this.checkpoint(size) });
  }
}
