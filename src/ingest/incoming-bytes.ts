import { createHash, type Hash } from "node:crypto";
import { DocksealError } from "#kernel";

export interface IncomingLimits {
  readonly maxBytes: number;
  readonly stallSeconds: number;
  /** An upload that gives no sign of life for so long is swept. */
  readonly abandonedSeconds: number;
}

/**
 * The bytes of one upload on their way into the store: counted, hashed, limited and timed, and never held.
 * Iterate it once; the figures are there when the iteration has ended.
 */
export class IncomingBytes implements AsyncIterable<Buffer> {
  readonly #source: AsyncIterable<Buffer>;
  readonly #limits: Pick<IncomingLimits, "maxBytes" | "stallSeconds">;
  readonly #sha256 = createHash("sha256");
  readonly #sm3: Hash | undefined;
  readonly #stop: (reason: DocksealError) => void;
  #count = 0;

  /**
   * @param sm3 also compute SM3; costs more than everything else, so only when the station declared one.
   * @param stop called when the sender stalls: must end the transfer, since no byte will.
   */
  constructor(
    source: AsyncIterable<Buffer>,
    limits: Pick<IncomingLimits, "maxBytes" | "stallSeconds">,
    options: { sm3: boolean; stop: (reason: DocksealError) => void },
  ) {
    this.#source = source;
    this.#limits = limits;
    this.#sm3 = options.sm3 ? createHash("sm3") : undefined;
    this.#stop = options.stop;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    // The clock runs only while we wait for the sender, never while the store makes us wait.
    let waitingSince: number | undefined = Date.now();
    const stallMs = this.#limits.stallSeconds * 1000;
    const timer = setInterval(
      () => {
        if (waitingSince !== undefined && Date.now() - waitingSince >= stallMs) {
          this.#stop(
            new DocksealError("upload-stalled", {
              detail: `no byte for ${this.#limits.stallSeconds} s after ${this.#count} bytes`,
            }),
          );
        }
      },
      Math.min(1000, stallMs / 4),
    );
    try {
      for await (const chunk of this.#source) {
        waitingSince = undefined;
        this.#count += chunk.length;
        if (this.#count > this.#limits.maxBytes) {
          throw new DocksealError("file-too-large", { detail: `more than ${this.#limits.maxBytes} bytes` });
        }
        this.#sha256.update(chunk);
        this.#sm3?.update(chunk);
        yield chunk;
        waitingSince = Date.now();
      }
    } finally {
      clearInterval(timer);
    }
  }

  /** Figures of all bytes; only once, after the iteration ended. */
  finish(): { sizeBytes: number; sha256: string; sm3: string | undefined } {
    return { sizeBytes: this.#count, sha256: this.#sha256.digest("hex"), sm3: this.#sm3?.digest("hex") };
  }
}
