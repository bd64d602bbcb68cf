import { DocksealError } from "#kernel";
import { collectYoungGarbage } from "./young-garbage.ts";

/** A batch ends with this many chunks whatever they hold: a client that sends single bytes pins a 64 KiB slab with each of them. */
const BATCH_CHUNKS = 64;

export interface SourceOptions {
  /** Announced length; undefined when it is not known. */
  readonly sizeBytes: number | undefined;
  /** Ends every wait for the source with its reason. */
  readonly signal: AbortSignal;
  /** Longest wait for one chunk. */
  readonly idleMs: number;
  /** Told about an error of the source's own clean-up, which comes too late to be thrown. */
  readonly onLateError: (error: unknown) => void;
}

/**
 * The bytes of one put: counted against the announced length, given up at once when the signal says so, even where
 * the source itself never answers (a `for await` would wait for it for ever).
 */
export class Source {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #options: SourceOptions;
  #receivedBytes = 0;

  constructor(body: AsyncIterable<Uint8Array>, options: SourceOptions) {
    this.#iterator = body[Symbol.asyncIterator]();
    this.#options = options;
  }

  /** Bytes taken from the source until now. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /**
   * The chunks, in order. After the announced number of bytes the last chunk is held back until the source has ended,
   * so that whoever writes what comes out of here never completes an object that turns out to be too long.
   * @throws DocksealError `length-differs`, `upload-stalled`; the source's own error; the signal's reason.
   */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    const { sizeBytes, signal, idleMs } = this.#options;
    let wake: ((error: unknown) => void) | undefined;
    const onAbort = () => wake?.(signal.reason);
    const idle = setTimeout(
      () => wake?.(new DocksealError("upload-stalled", { detail: `no byte arrived for ${idleMs / 1000} s` })),
      idleMs,
    );
    signal.addEventListener("abort", onAbort, { once: true });
    let ended = false;
    let heldBack: Uint8Array | undefined;
    try {
      while (true) {
        signal.throwIfAborted();
        idle.refresh();
        // One promise a chunk: racing a promise that lives as long as the upload would keep every chunk's reaction.
        const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
          wake = reject;
          this.#iterator.next().then(resolve, (error) => {
            ended = true;
            reject(error);
          });
        });
        wake = undefined;
        if (next.done) break;
        if (next.value.byteLength === 0) continue;
        this.#receivedBytes += next.value.byteLength;
        collectYoungGarbage(next.value.byteLength);
        if (sizeBytes !== undefined && this.#receivedBytes > sizeBytes) {
          throw lengthDiffers(sizeBytes, `more than ${sizeBytes}`);
        }
        if (this.#receivedBytes === sizeBytes) heldBack = next.value;
        else yield next.value;
      }
      ended = true;
      if (sizeBytes !== undefined && this.#receivedBytes !== sizeBytes) {
        throw lengthDiffers(sizeBytes, String(this.#receivedBytes));
      }
      if (heldBack) yield heldBack;
    } finally {
      clearTimeout(idle);
      signal.removeEventListener("abort", onAbort);
      if (!ended) this.#giveUp();
    }
  }

  /**
   * The same bytes in lists that hold at least `batchBytes` each (the last one, and one of many tiny chunks, fewer):
   * fewer, larger writes cost less. The lists are the caller's; the chunks must not be changed.
   */
  async *batches(batchBytes: number): AsyncGenerator<Uint8Array[], void, void> {
    let batch: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of this.chunks()) {
      batch.push(chunk);
      bytes += chunk.byteLength;
      if (bytes >= batchBytes || batch.length >= BATCH_CHUNKS) {
        yield batch;
        batch = [];
        bytes = 0;
      }
    }
    if (batch.length > 0) yield batch;
  }

  /** Lets the source clean up. Not awaited: a source that hangs in `next` answers `return` only after it. */
  #giveUp(): void {
    const over = this.#iterator.return?.();
    if (over) over.catch(this.#options.onLateError);
  }
}

function lengthDiffers(announced: number, received: string): DocksealError {
  return new DocksealError("length-differs", { detail: `${announced} bytes were announced, ${received} arrived` });
}
