import { pause } from "#kernel";

const pieceBytes = 64 * 1024;

/** A cap on what all uploads together send. */
export class Bandwidth {
  readonly #bytesPerMs: number | undefined;
  /** When the next byte may go, on the monotonic clock. */
  #freeAt = 0;

  /** @param bytesPerSecond undefined: as fast as the line is. */
  constructor(bytesPerSecond: number | undefined) {
    this.#bytesPerMs = bytesPerSecond === undefined ? undefined : bytesPerSecond / 1000;
  }

  /** The bytes, in pieces, each when its turn comes. */
  async *paced(bytes: Buffer, signal: AbortSignal): AsyncGenerator<Buffer> {
    if (this.#bytesPerMs === undefined) {
      yield bytes;
      return;
    }
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      const now = performance.now();
      const turn = Math.max(now, this.#freeAt);
      this.#freeAt = turn + piece.length / this.#bytesPerMs;
      if (turn > now) await pause(turn - now, signal);
      signal.throwIfAborted();
      yield piece;
    }
  }
}
