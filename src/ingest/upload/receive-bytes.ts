import { createHash } from "node:crypto";
import { speakingDatabase } from "#db";
import { DocksealError, freeBuffer } from "#kernel";
import { collectYoungGarbage, type EvidenceStore } from "#store";
import { Digests } from "../digests.ts";
import { IncomingBytes } from "../incoming-bytes.ts";
import type { IngestDependencies } from "../receive.ts";
import { LeaseKeeper } from "./lease.ts";
import { acknowledge, type MappedPart, takeLease, type UploadRow } from "./rows.ts";
import { runningDigests } from "./running-digests.ts";

const MiB = 1024 * 1024;
/** Memory of one part. */
const PART_BYTES = 8 * MiB;
/** Parts that one request holds at most: one being filled, the others on their way. With little memory left two. */
const PARTS_HELD = 4;
/** Amazon S3 allows 10,000 parts; a part that a cut made short is one more. */
const MOST_WHOLE_PARTS = 5000;

export interface IncomingPiece {
  readonly body: AsyncIterable<Buffer>;
  /** Where the client says that the piece begins. */
  readonly offsetBytes: number;
  /** Length of the piece when it is known beforehand. */
  readonly sizeBytes: number | undefined;
  /** Of `Upload-Checksum`, hex: then the piece counts whole or not at all. */
  readonly sha256: string | undefined;
  /** Ends the reading; what has come until then is kept. */
  readonly signal: AbortSignal;
}

/** Sizes of an upload's parts: full parts, and the shortest that the store takes before the last one. */
function partSizes(store: EvidenceStore, sizeBytes: number): { full: number; least: number } {
  const full = Math.max(PART_BYTES, Math.ceil(sizeBytes / MOST_WHOLE_PARTS));
  // Pieces cut short must not use the part numbers up either.
  return { full, least: Math.min(full, Math.max(store.resumable.smallestPartBytes, Math.ceil(full / 2))) };
}

/**
 * Takes bytes of an upload from one request into the store, and acknowledges each part once it is durable. When the
 * request breaks off, what came until then is kept as well, as a part or as the tail.
 * @returns the new offset.
 * @throws DocksealError `upload-locked`, `upload-offset-differs`, `no-budget` (before a byte was read), `upload-gone`,
 *   `checksum-differs`, `file-too-large`, `upload-stalled`; faults of the store; the signal's reason.
 */
export async function receiveBytes(deps: IngestDependencies, upload: UploadRow, piece: IncomingPiece): Promise<number> {
  const { db, store } = deps;
  const { full, least } = partSizes(store, upload.sizeBytes);
  const expected = Math.min(piece.sizeBytes ?? Number.MAX_SAFE_INTEGER, upload.sizeBytes - piece.offsetBytes);
  const needed = Math.max(1, Math.min(2 * full, least + expected));
  const reservation = store.resumable.reserve(Math.max(needed, Math.min(PARTS_HELD * full, expected)), needed);
  try {
    const held = await speakingDatabase(() => takeLease(db, upload.id));
    const keeper = new LeaseKeeper(db, held.lease, deps.limits.resumableSeconds, (error) =>
      deps.onCleanUpError(error, upload.write.key),
    );
    try {
      if (held.storedBytes + held.tail.length !== piece.offsetBytes) {
        throw new DocksealError("upload-offset-differs", {
          detail: `the upload is at ${held.storedBytes + held.tail.length}, the request began at ${piece.offsetBytes}`,
        });
      }
      const atOnce = Math.max(1, Math.floor(reservation.bytes / full) - 1);
      return await new PieceWriter(deps, upload, piece, { ...held, keeper, full, least, atOnce }).write();
    } finally {
      await keeper.end().catch((error: unknown) => deps.onCleanUpError(error, upload.write.key));
    }
  } finally {
    reservation.release();
  }
}

interface Held {
  readonly keeper: LeaseKeeper;
  readonly storedBytes: number;
  readonly tail: Buffer;
  readonly lastPart: number;
  readonly full: number;
  readonly least: number;
  /** Parts on their way at once. */
  readonly atOnce: number;
}

/** One request's bytes on their way into parts. */
class PieceWriter {
  readonly #deps: IngestDependencies;
  readonly #upload: UploadRow;
  readonly #piece: IncomingPiece;
  readonly #held: Held;
  /** Ends the parts on their way when one of them has failed; the loss of the lease ends them too. */
  readonly #broken = new AbortController();
  readonly #end: AbortSignal;
  /** End of the parts that the database has acknowledged. */
  #storedBytes: number;
  /** Parts that the store holds and the database does not know yet: those of a piece with a checksum. */
  #unacknowledged: MappedPart[] = [];
  /** Of everything up to here, if all of it came through this process. */
  readonly #running: Digests | undefined;
  #number: number;
  #buffer: Buffer;
  #filled: number;
  /** Parts on their way, in their order. One that has failed stays. */
  readonly #sending: Promise<void>[] = [];
  #sentBytes: number;

  constructor(deps: IngestDependencies, upload: UploadRow, piece: IncomingPiece, held: Held) {
    this.#deps = deps;
    this.#upload = upload;
    this.#piece = piece;
    this.#held = held;
    this.#end = AbortSignal.any([held.keeper.lost, this.#broken.signal]);
    this.#storedBytes = held.storedBytes;
    this.#sentBytes = held.storedBytes;
    this.#number = held.lastPart;
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(held.full, upload.sizeBytes - held.storedBytes));
    this.#filled = held.tail.copy(this.#buffer);
    const sm3 = upload.metadata.digest?.sm3 !== undefined;
    this.#running = runningDigests.take(upload.id, piece.offsetBytes, { sm3 });
  }

  async write(): Promise<number> {
    try {
      return await this.#write();
    } finally {
      await Promise.allSettled(this.#sending);
      freeBuffer(this.#buffer);
    }
  }

  async #write(): Promise<number> {
    const { keeper } = this.#held;
    const stop = new AbortController();
    const remaining = this.#upload.sizeBytes - this.#piece.offsetBytes;
    const { stallSeconds } = this.#deps.limits;
    const ofPiece = this.#piece.sha256 === undefined ? undefined : new Digests({ sm3: false });
    const bytes = new IncomingBytes(
      untilAborted(this.#piece.body, AbortSignal.any([this.#piece.signal, keeper.lost, stop.signal])),
      { maxBytes: remaining, stallSeconds },
      { digests: ofPiece, stop: (reason) => stop.abort(reason) },
    );
    let failure: { readonly error: unknown } | undefined;
    try {
      for await (const chunk of bytes) {
        keeper.progress();
        collectYoungGarbage(chunk.length);
        this.#running?.update(chunk);
        await this.#add(chunk);
      }
    } catch (error) {
      failure = { error };
    }
    await this.#sent(); // before anything else: a part that failed ends the piece where it failed
    if (ofPiece !== undefined) {
      // tus 1.0, checksum: a piece whose checksum does not match, or cannot be computed, must not change the upload.
      if (failure !== undefined) throw failure.error;
      if (ofPiece.finish().sha256 !== this.#piece.sha256) throw new DocksealError("checksum-differs");
    }
    await this.#flush();
    if (this.#running !== undefined) runningDigests.keep(this.#upload.id, this.#running);
    if (failure !== undefined) throw failure.error;
    return this.#sentBytes + this.#filled;
  }

  async #add(chunk: Buffer): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#filled === this.#buffer.length) await this.#send();
      const taken = rest.copy(this.#buffer, this.#filled);
      this.#filled += taken;
      rest = rest.subarray(taken);
    }
  }

  /** Sends the buffer as a part. Parts are acknowledged in their order, so the prefix has no hole. */
  async #send(): Promise<void> {
    if (this.#sending.length >= this.#held.atOnce) await this.#sending[0];
    const before = this.#sending.at(-1);
    const whole = this.#buffer;
    const bytes = whole.subarray(0, this.#filled);
    const part = { number: ++this.#number, offsetBytes: this.#sentBytes, sizeBytes: bytes.length };
    this.#sentBytes += bytes.length;
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(this.#held.full, this.#upload.sizeBytes - this.#sentBytes));
    this.#filled = 0;
    const sending = this.#held.keeper.during(async () => {
      const { store } = this.#deps;
      try {
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        const etag = await store.resumable.writePart(this.#upload.write, { ...part, bytes, sha256 }, this.#end);
        await before;
        this.#unacknowledged.push({ ...part, etag, sha256 });
        if (this.#piece.sha256 === undefined) await this.#acknowledge(Buffer.alloc(0));
        this.#sending.shift();
      } finally {
        freeBuffer(whole);
      }
    });
    sending.catch((error: unknown) => this.#broken.abort(error)); // awaited before further parts and at the end
    this.#sending.push(sending);
  }

  /** Waits for the parts on their way. @throws what the first that failed has failed with. */
  async #sent(): Promise<void> {
    const sending = [...this.#sending];
    await Promise.allSettled(sending);
    await Promise.all(sending);
  }

  /** What is left in the buffer: the last part of the file, a part long enough, or the tail. */
  async #flush(): Promise<void> {
    const ends = this.#sentBytes + this.#filled === this.#upload.sizeBytes;
    if (this.#filled > 0 && (ends || this.#filled >= this.#held.least)) await this.#send();
    await this.#sent();
    await this.#held.keeper.during(() => this.#acknowledge(this.#buffer.subarray(0, this.#filled)));
  }

  async #acknowledge(tail: Buffer): Promise<void> {
    const parts = this.#unacknowledged;
    const bytes = { storedBytes: this.#storedBytes, parts, tail };
    await speakingDatabase(() =>
      acknowledge(this.#deps.db, this.#held.keeper.lease, bytes, this.#deps.limits.resumableSeconds),
    );
    const last = parts.at(-1);
    if (last !== undefined) this.#storedBytes = last.offsetBytes + last.sizeBytes;
    this.#unacknowledged = [];
  }
}

/** The chunks, given up at once when the signal says so, even where the source itself never answers. */
async function* untilAborted(body: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  const iterator = body[Symbol.asyncIterator]();
  let wake: ((error: unknown) => void) | undefined;
  const onAbort = (): void => wake?.(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    while (true) {
      signal.throwIfAborted();
      const next = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        wake = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
