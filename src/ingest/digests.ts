import { createHash, type Hash } from "node:crypto";

/** What the bytes of a file came to. */
export interface Figures {
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
  /** Hex; undefined when it was not wanted. */
  readonly sm3: string | undefined;
}

/** Digests of bytes as they go by. */
export class Digests {
  readonly #sha256 = createHash("sha256");
  readonly #sm3: Hash | undefined;
  #count = 0;

  /** @param sm3 also compute SM3; costs more than everything else, so only when the station declared one. */
  constructor(options: { sm3: boolean }) {
    this.#sm3 = options.sm3 ? createHash("sm3") : undefined;
  }

  get sizeBytes(): number {
    return this.#count;
  }

  update(chunk: Uint8Array): void {
    this.#sha256.update(chunk);
    this.#sm3?.update(chunk);
    this.#count += chunk.byteLength;
  }

  /** Only once. */
  finish(): Figures {
    return { sizeBytes: this.#count, sha256: this.#sha256.digest("hex"), sm3: this.#sm3?.digest("hex") };
  }
}
