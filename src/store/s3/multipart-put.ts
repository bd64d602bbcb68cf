import { createHash } from "node:crypto";
import { DocksealError, freeBuffer } from "#kernel";
import type { MemoryBudget, Reservation } from "../memory-budget.ts";
import { Source, type SourceOptions } from "../source.ts";
import { asProblem } from "./answers.ts";
import { type Attempt, attemptHeaders, commit, onlyIfAbsent, versionOf } from "./attempt.ts";
import type { S3Connection } from "./connection.ts";
import { completeUpload, initiateUpload, uploadPart } from "./parts.ts";

const MiB = 1024 * 1024;
const SMALLEST_PART_BYTES = 16 * MiB;
/** Parts of this size take over where the length is not known and the first ones would not reach. */
const LATE_PART_BYTES = 64 * MiB;
const LATE_FROM_PART = 5000;
/** Amazon S3, multipart upload limits. */
const MOST_PARTS = 10_000;
/** Parts that one upload holds at most: one being filled, the others on their way. */
const PARTS_HELD = 4;

/**
 * Size of part `number` (from 1). With a known length all parts are equal and fit in 10 000; without one they grow:
 * 5000 × 16 MiB, then 5000 × 64 MiB, 390 GiB in all.
 */
export function partBytes(number: number, sizeBytes: number | undefined): number {
  if (sizeBytes !== undefined) return Math.max(SMALLEST_PART_BYTES, Math.ceil(sizeBytes / MOST_PARTS / MiB) * MiB);
  return number < LATE_FROM_PART ? SMALLEST_PART_BYTES : LATE_PART_BYTES;
}

/** Sets aside room for up to {@link PARTS_HELD} parts, at most a quarter of what is free: others want to come in too. */
export function reserveParts(budget: MemoryBudget, sizeBytes: number | undefined): Reservation {
  const part = partBytes(1, sizeBytes);
  const parts = Math.min(PARTS_HELD, Math.floor(budget.freeBytes / 4 / part));
  return budget.reserve(Math.max(1, parts) * part);
}

/**
 * Cuts the body into parts that are held in memory, so that each can be sent again. What fits into one part is written
 * with one PUT. Nothing exists under the key before the completion, which comes after the length was checked.
 * On failure the upload is left to the caller's clean-up, which finds it by its key.
 * @returns the version written.
 * @throws DocksealError for faults of the store; the source's own error; the signal's reason.
 */
export async function putParts(
  connection: S3Connection,
  attempt: Attempt,
  reservation: Reservation,
  sourceOptions: Omit<SourceOptions, "sizeBytes" | "signal">,
): Promise<{ versionId: string; sizeBytes: number }> {
  const end = new AbortController();
  const onAbort = () => end.abort(attempt.signal.reason);
  attempt.signal.addEventListener("abort", onAbort, { once: true });
  const source = new Source(attempt.body, { ...sourceOptions, sizeBytes: attempt.sizeBytes, signal: end.signal });
  const upload = new PartUpload(connection, attempt, reservation, end);
  try {
    attempt.signal.throwIfAborted();
    for await (const chunk of source.chunks()) await upload.add(chunk);
    return { versionId: await upload.finish(), sizeBytes: source.receivedBytes };
  } catch (error) {
    end.abort(error); // ends the parts on their way
    throw end.signal.reason;
  } finally {
    attempt.signal.removeEventListener("abort", onAbort);
    await upload.settled();
  }
}

/** The parts of one upload: filled one after the other, sent side by side as far as the reservation reaches. */
class PartUpload {
  readonly #connection: S3Connection;
  readonly #attempt: Attempt;
  readonly #reservation: Reservation;
  readonly #end: AbortController;
  readonly #sending = new Set<Promise<void>>();
  readonly #spare: Buffer[] = [];
  readonly #etags: string[] = [];
  #uploadId: string | undefined;
  #heldBytes = 0;
  #number = 1;
  #part: Buffer | undefined;
  #filledBytes = 0;

  constructor(connection: S3Connection, attempt: Attempt, reservation: Reservation, end: AbortController) {
    this.#connection = connection;
    this.#attempt = attempt;
    this.#reservation = reservation;
    this.#end = end;
  }

  /** Copies the chunk into parts; waits while all parts that may be held are on their way. */
  async add(chunk: Uint8Array): Promise<void> {
    let rest = chunk;
    while (rest.byteLength > 0) {
      if (this.#part && this.#filledBytes === this.#part.byteLength) await this.#sendPart();
      this.#part ??= await this.#freePart();
      const taken = rest.subarray(0, this.#part.byteLength - this.#filledBytes);
      this.#part.set(taken, this.#filledBytes);
      this.#filledBytes += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
    }
  }

  async finish(): Promise<string> {
    const uploadId = this.#uploadId;
    if (uploadId === undefined) {
      const whole = this.#part?.subarray(0, this.#filledBytes) ?? Buffer.alloc(0);
      return commit(this.#connection, this.#attempt, () => this.#putWhole(whole));
    }
    await this.#sendPart();
    await Promise.all(this.#sending);
    return commit(this.#connection, this.#attempt, () =>
      completeUpload(
        this.#connection,
        { key: this.#attempt.key, uploadId },
        this.#etags.map((etag, at) => ({ number: at + 1, etag })),
        this.#attempt.signal,
      ),
    );
  }

  /** Waits until no part is on its way any more, and gives the memory of all back. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#sending);
    for (const part of this.#spare) freeBuffer(part);
    if (this.#part) freeBuffer(this.#part);
  }

  /** A buffer for the next part, once the reservation has room for it. */
  async #freePart(): Promise<Buffer> {
    if (this.#number > MOST_PARTS) {
      throw new DocksealError("file-too-large", { detail: `the file does not fit into ${MOST_PARTS} parts` });
    }
    const bytes = partBytes(this.#number, this.#attempt.sizeBytes);
    while (this.#sending.size > 0 && this.#heldBytes + bytes > this.#reservation.bytes)
      await Promise.race(this.#sending);
    this.#heldBytes += bytes;
    this.#filledBytes = 0;
    const spare = this.#spare.pop();
    return spare?.byteLength === bytes ? spare : Buffer.allocUnsafeSlow(bytes);
  }

  async #sendPart(): Promise<void> {
    const part = this.#part;
    if (!part) return;
    this.#uploadId ??= await initiateUpload(this.#connection, this.#attempt, this.#end.signal);
    const number = this.#number++;
    this.#part = undefined;
    const sending = this.#upload(this.#uploadId, number, part.subarray(0, this.#filledBytes)).finally(() => {
      this.#heldBytes -= part.byteLength;
      this.#spare.push(part);
      this.#sending.delete(sending);
    });
    this.#sending.add(sending);
    sending.catch((error) => this.#end.abort(asProblem("put part", error))); // wakes whoever waits for the source
  }

  /** Sending a part again replaces it (Amazon S3, UploadPart), so every fault that may pass is tried again. */
  async #upload(uploadId: string, number: number, bytes: Buffer): Promise<void> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const part = { key: this.#attempt.key, uploadId, number, bytes, sha256 };
    this.#etags[number - 1] = await uploadPart(this.#connection, part, this.#end.signal);
  }

  /** One attempt to write the whole body with one PUT. */
  #putWhole(bytes: Buffer): Promise<string> {
    const { bucket, timeouts } = this.#connection;
    const headers = { ...attemptHeaders(this.#attempt), ...onlyIfAbsent };
    return this.#connection.call(
      async (client) =>
        versionOf(
          await client.makeRequestAsyncOmit(
            { method: "PUT", bucketName: bucket, objectName: this.#attempt.key, headers: { ...headers } },
            bytes,
          ),
        ),
      { signal: this.#end.signal, timeoutMs: timeouts.partMs, attempts: 1 },
    );
  }
}
