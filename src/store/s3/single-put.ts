import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Source, type SourceOptions } from "../source.ts";
import { asProblem, NoAnswerError, readAnswerError, S3AnswerError } from "./answers.ts";
import { type Attempt, attemptHeaders, onlyIfAbsent, versionOf } from "./attempt.ts";
import type { S3Connection } from "./connection.ts";

/** The largest object that one PUT may write (Amazon S3, PutObject). */
export const LARGEST_SINGLE_PUT_BYTES = 5 * 1024 ** 3;
/**
 * Written at once. Small enough that the bytes of several uploads are gone again before the next collection of young
 * garbage: what outlives two of them is old, and only a collection of the whole heap frees it.
 */
const WRITE_BYTES = 128 * 1024;
/** What a streaming PUT holds: the batch being gathered, the one being written, and the sockets' own buffers. */
export const SINGLE_PUT_BUDGET_BYTES = 2 * 1024 * 1024;

/**
 * Streams the body into one PUT with its exact length. Fewer bytes leave the request unfinished, so that the server has
 * nothing to commit; the last bytes are sent only when the source has ended ({@link Source.chunks}).
 * Not repeatable: the bytes are gone.
 * @returns the version that the server says it wrote.
 * @throws DocksealError for faults of the store; the source's own error; the signal's reason.
 */
export async function putSingle(
  connection: S3Connection,
  attempt: Attempt & { readonly sizeBytes: number },
  source: Omit<SourceOptions, "sizeBytes" | "signal">,
): Promise<{ versionId: string; sizeBytes: number }> {
  const { stallMs } = connection.timeouts;
  // One signal for everything that ends the transfer: the caller, the connection, an early answer, a stall.
  const end = new AbortController();
  const fail = (error: unknown) => end.abort(asProblem("put", error));
  const onAbort = () => end.abort(attempt.signal.reason);
  attempt.signal.addEventListener("abort", onAbort, { once: true });
  const outgoing = connection.startPut(attempt.key, {
    ...attemptHeaders(attempt),
    ...onlyIfAbsent,
    "content-length": String(attempt.sizeBytes),
    // A store that knows the header compares; one that does not is none the worse for it.
    ...(attempt.sha256 ? { "x-amz-checksum-sha256": Buffer.from(attempt.sha256, "hex").toString("base64") } : {}),
  });
  let waitingForStore = false; // the source has a timer of its own
  const stall = setTimeout(() => {
    if (waitingForStore) fail(new NoAnswerError(`the store took nothing for ${stallMs / 1000} s`));
  }, stallMs);
  const forStore = async <T>(wait: Promise<T>): Promise<T> => {
    stall.refresh();
    waitingForStore = true;
    const got = await wait;
    waitingForStore = false;
    return got;
  };
  const answer = Promise.withResolvers<string>();
  answer.promise.catch(() => undefined); // awaited only after the last byte; before, `end` tells of the same error
  let answering = false;
  outgoing.on("error", (error) => {
    // A server that says no before the last byte closes the connection; its answer says more than the broken pipe.
    if (!answering) fail(error);
  });
  outgoing.on("response", (response) => {
    answering = true;
    void readAnswer(response, outgoing.writableEnded).then(answer.resolve, fail);
  });
  end.signal.addEventListener("abort", () => answer.reject(end.signal.reason), { once: true });
  try {
    attempt.signal.throwIfAborted();
    const bytes = new Source(attempt.body, { ...source, sizeBytes: attempt.sizeBytes, signal: end.signal });
    for await (const batch of bytes.batches(WRITE_BYTES)) {
      // Waiting here and not after the write lets the next batch come in while this one goes out.
      if (outgoing.writableNeedDrain) await forStore(once(outgoing, "drain", { signal: end.signal }));
      outgoing.cork();
      for (const chunk of batch) outgoing.write(chunk);
      outgoing.uncork();
    }
    outgoing.end();
    return { versionId: await forStore(answer.promise), sizeBytes: bytes.receivedBytes };
  } catch (error) {
    throw end.signal.aborted ? end.signal.reason : error;
  } finally {
    clearTimeout(stall);
    attempt.signal.removeEventListener("abort", onAbort);
    outgoing.destroy();
  }
}

/**
 * @returns the version written.
 * @throws S3AnswerError for everything but a clear success.
 */
async function readAnswer(response: IncomingMessage, allSent: boolean): Promise<string> {
  if (response.statusCode !== 200) throw await readAnswerError(response);
  response.resume();
  // A success for bytes that were not all sent is none.
  if (!allSent) throw new S3AnswerError(200, "EarlyAnswer", "the store answered before it had all bytes");
  return versionOf(response);
}
