import { DocksealError, newId } from "#kernel";
import { checkKey } from "../key.ts";
import type { MemoryBudget, Reservation } from "../memory-budget.ts";
import type { NewPart, PutResult, ResumableWrite, ResumableWrites, WrittenPart } from "../port.ts";
import { asProblem, NoAnswerError, S3AnswerError } from "./answers.ts";
import { commit, confirm } from "./attempt.ts";
import type { S3Connection } from "./connection.ts";
import { completeUpload, initiateUpload, listParts, uploadPart } from "./parts.ts";

/** Resumable writes as multipart uploads: the server itself keeps their parts, whoever sent them. */
export class S3Resumable implements ResumableWrites {
  /** Amazon S3, multipart upload limits. */
  readonly smallestPartBytes = 5 * 1024 * 1024;
  readonly #connection: S3Connection;
  readonly #budget: MemoryBudget;

  constructor(connection: S3Connection, budget: MemoryBudget) {
    this.#connection = connection;
    this.#budget = budget;
  }

  reserve(most: number, least: number): Reservation {
    return this.#budget.reserveUpTo(most, least);
  }

  async begin(key: string): Promise<string> {
    checkKey(key);
    const attemptId = newId();
    // The attempt's id goes with the upload: the object is known by it when the answer to its completion is lost.
    return `${attemptId}:${await initiateUpload(this.#connection, { key, attemptId })}`;
  }

  async writePart(write: ResumableWrite, part: NewPart, signal: AbortSignal): Promise<string> {
    const { uploadId } = ownIds(write);
    const { partMs } = this.#connection.timeouts;
    // All tries together: a full radosgw answers nothing, and a client is better told so than kept for several of them.
    const silence = AbortSignal.timeout(partMs);
    try {
      const whole = { ...part, key: write.key, uploadId };
      return await uploadPart(this.#connection, whole, AbortSignal.any([signal, silence]));
    } catch (error) {
      signal.throwIfAborted();
      if (silence.aborted) throw asProblem("put part", new NoAnswerError(`not taken within ${partMs / 1000} s`));
      throw isGone(error) ? gone(error) : asProblem("put part", error);
    }
  }

  async holds(write: ResumableWrite, parts: readonly WrittenPart[]): Promise<boolean> {
    const { uploadId } = ownIds(write);
    try {
      const held = await listParts(this.#connection, { key: write.key, uploadId });
      return parts.every(({ number, etag }) => held.get(number) === etag);
    } catch (error) {
      if (isGone(error)) return false;
      throw asProblem("list parts", error);
    }
  }

  async complete(
    write: ResumableWrite,
    parts: readonly WrittenPart[],
    sizeBytes: number,
    signal: AbortSignal,
  ): Promise<PutResult> {
    const { key } = write;
    const { attemptId, uploadId } = ownIds(write);
    let versionId: string;
    try {
      versionId = await commit(this.#connection, { key, attemptId, signal }, () =>
        completeUpload(this.#connection, { key, uploadId }, parts, signal),
      );
    } catch (error) {
      signal.throwIfAborted();
      // `commit` has looked for the object that a lost answer may have made: there is none. What the answer says of the
      // reason is not to be relied on (radosgw answers 500 for an upload that was aborted), so the store is asked.
      throw (await this.holds(write, parts)) ? error : gone(error);
    }
    await confirm(this.#connection, { key, versionId, sizeBytes }, signal);
    return { key, versionId, sizeBytes };
  }
}

/** The two ids in a write's id. */
function ownIds({ key, writeId }: ResumableWrite): { attemptId: string; uploadId: string } {
  checkKey(key);
  const at = writeId.indexOf(":");
  if (at <= 0) throw new DocksealError("internal", { detail: "no id of a resumable write" });
  return { attemptId: writeId.slice(0, at), uploadId: writeId.slice(at + 1) };
}

/** A server purges uploads that nobody completed, some of them after a day. */
function isGone(error: unknown): boolean {
  return error instanceof S3AnswerError && /^(NoSuchUpload|NoSuchKey)$/.test(error.code);
}

function gone(cause: unknown): DocksealError {
  return new DocksealError("upload-gone", {
    detail: "the store does not hold the parts of this upload any more",
    cause,
  });
}
