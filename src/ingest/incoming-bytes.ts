import { DocksealError } from "#kernel";
import type { Digests } from "./digests.ts";

export interface IncomingLimits {
  readonly maxBytes: number;
  readonly stallSeconds: number;
  /** An upload that gives no sign of life for so long is swept. */
  readonly abandonedSeconds: number;
  /** A resumable upload that nobody continues for so long is over. */
  readonly resumableSeconds: number;
}

/**
 * The bytes of one request on their way into the store: hashed, limited and timed, and never held. Iterate it once; the
 * digests are whole when the iteration has ended.
 */
export class IncomingBytes implements AsyncIterable<Buffer> {
  readonly #source: AsyncIterable<Buffer>;
  readonly #limits: Pick<IncomingLimits, "maxBytes" | "stallSeconds">;
  readonly #digests: Digests | undefined;
  readonly #stop: (reason: DocksealError) => void;
  #clock: NodeJS.Timeout | undefined;
  #count = 0;

  /**
   * @param digests of these bytes, where they are wanted.
   * @param stop called when the sender stalls: must end the transfer, since no byte will.
   */
  constructor(
    source: AsyncIterable<Buffer>,
    limits: Pick<IncomingLimits, "maxBytes" | "stallSeconds">,
    options: { digests: Digests | undefined; stop: (reason: DocksealError) => void },
  ) {
    this.#source = source;
    this.#limits = limits;
    this.#digests = options.digests;
    this.#stop = options.stop;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    // The clock runs only while we wait for the sender, never while the store makes us wait; and nobody sets it.
    let waitingSince: number | undefined = performance.now();
    const stallMs = this.#limits.stallSeconds * 1000;
    this.#clock = setInterval(
      () => {
        if (waitingSince !== undefined && performance.now() - waitingSince >= stallMs) {
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
        this.#digests?.update(chunk);
        yield chunk;
        waitingSince = performance.now();
      }
    } finally {
      this.end();
    }
  }

  /**
   * The transfer is over, also when the source still owes an answer: a bare body whose sender went away never gives one,
   * the iteration then never ends by itself, and its clock would keep the process alive for ever.
   */
  end(): void {
    clearInterval(this.#clock);
  }
}
