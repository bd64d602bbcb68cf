import { createHash, type Hash } from "node:crypto";
import { MerkleRoot } from "./merkle.ts";

/** 4 MiB: one leaf of a clip's chunk tree, so that a part of a clip can be checked alone. */
export const CHUNK_BYTES = 4194304;

/** Everything that identifies a file's content. Digests and root are lower-case hex of 32 bytes. */
export interface ContentFacts {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** GB/T 32905. */
  readonly sm3: string;
  /** RFC 6962 §2.1 root over the chunks: a leaf is SHA-256(0x00 ‖ chunk); the last chunk may be shorter. */
  readonly chunkRoot: string;
  readonly chunkCount: number;
}

/** Takes all digests of a stream in one pass. Chunks may arrive cut in any way; nothing is kept of them. */
export class ContentDigests {
  readonly #sha256 = createHash("sha256");
  readonly #sm3 = createHash("sm3");
  readonly #tree = new MerkleRoot();
  #chunk: Hash | undefined;
  #chunkBytes = 0;
  #sizeBytes = 0;
  #finished = false;

  /** @throws Error after {@link finish}. */
  update(bytes: Uint8Array): void {
    this.#requireUnfinished();
    this.#sha256.update(bytes);
    this.#sm3.update(bytes);
    this.#sizeBytes += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + CHUNK_BYTES - this.#chunkBytes);
      this.#chunk ??= createHash("sha256").update(Buffer.of(0));
      this.#chunk.update(piece);
      this.#chunkBytes += piece.length;
      at += piece.length;
      if (this.#chunkBytes === CHUNK_BYTES) this.#endChunk();
    }
  }

  /** @throws Error when called twice. */
  finish(): ContentFacts {
    this.#requireUnfinished();
    this.#endChunk();
    this.#finished = true;
    return {
      sizeBytes: this.#sizeBytes,
      sha256: this.#sha256.digest("hex"),
      sm3: this.#sm3.digest("hex"),
      chunkRoot: this.#tree.root().toString("hex"),
      chunkCount: this.#tree.count,
    };
  }

  #endChunk(): void {
    if (this.#chunk !== undefined) this.#tree.append(this.#chunk.digest());
    this.#chunk = undefined;
    this.#chunkBytes = 0;
  }

  #requireUnfinished(): void {
    if (this.#finished) throw new Error("digests were finished already");
  }
}

/** Counts and hashes a stream as it flows by: what ingest needs, a third of the work of {@link ContentDigests}. */
export class Sha256Counter {
  readonly #sha256 = createHash("sha256");
  #sizeBytes = 0;

  /** @throws Error after {@link finish}. */
  update(bytes: Uint8Array): void {
    this.#sha256.update(bytes);
    this.#sizeBytes += bytes.length;
  }

  /** @throws Error when called twice. */
  finish(): { sizeBytes: number; sha256: string } {
    return { sizeBytes: this.#sizeBytes, sha256: this.#sha256.digest("hex") };
  }
}
