import type { IncomingMessage } from "node:http";
import { DocksealError } from "#kernel";
import type { ObjectRef, PutRequest, PutResult } from "../port.ts";
import { asProblem, isPassing, S3AnswerError } from "./answers.ts";
import type { ControlOptions, S3Connection } from "./connection.ts";
import { head, listUploads, listVersions, ofKey } from "./control.ts";

/** One put on its way. */
export interface Attempt extends PutRequest {
  /** Written beside the object, so that a version whose answer was lost is known as this attempt's and no other's. */
  readonly attemptId: string;
}

/** Headers of whatever creates the object: a PUT, or the start of a multipart upload. */
export function attemptHeaders(attempt: Pick<Attempt, "attemptId" | "contentType">): Record<string, string> {
  return {
    "content-type": attempt.contentType ?? "application/octet-stream",
    "x-amz-meta-dockseal-attempt": attempt.attemptId,
  };
}

/** Lets the server itself refuse a key that is in use (RFC 9110 §13.1.2); goes with whatever makes the object visible. */
export const onlyIfAbsent: Readonly<Record<string, string>> = { "if-none-match": "*" };

/** The version that an answer names. A bucket without versioning names none, and then nothing can be locked. */
export function versionOf(response: Pick<IncomingMessage, "headers">): string {
  const versionId = response.headers["x-amz-version-id"];
  if (typeof versionId !== "string") throw new S3AnswerError(200, "NoVersion", "the store named no version");
  return versionId;
}

const MOST_TRIES = 3;

/**
 * Makes the write that makes the object visible. An answer that is no clear yes says nothing about what happened: an
 * error can come with status 200, and NoSuchUpload after a lost answer means that the object is there. So the store
 * is asked what it holds, and the write is repeated only when it holds nothing and the fault may pass.
 * @param write gives the version that the server says it wrote; must be repeatable.
 */
export async function commit(
  connection: S3Connection,
  attempt: Pick<Attempt, "key" | "attemptId" | "signal">,
  write: () => Promise<string>,
): Promise<string> {
  for (let tries = 1; ; tries++) {
    try {
      return await write();
    } catch (error) {
      attempt.signal.throwIfAborted();
      const own = await findOwn(connection, attempt, { signal: attempt.signal });
      if (own) return own.versionId;
      if (tries >= MOST_TRIES || !isPassing(error)) throw asProblem("put", error);
    }
  }
}

/**
 * Looks at what the store holds now. Of two puts at once on one key the older version wins: a server that knows no
 * `if-none-match` (radosgw does not check it between versions) has accepted both.
 */
export async function confirm(
  connection: S3Connection,
  { key, versionId, sizeBytes }: PutResult,
  signal: AbortSignal,
): Promise<void> {
  const [stored, versions] = await Promise.all([
    head(connection, { key, versionId }, { signal }),
    ofKey(listVersions(connection, key, { signal }), key),
  ]);
  if (stored?.sizeBytes !== sizeBytes) {
    const detail = `put: ${sizeBytes} bytes were written, the store holds ${stored?.sizeBytes ?? "none"}`;
    throw new DocksealError("store-unavailable", { detail, retryAfterSeconds: 10 });
  }
  // Versions of a key are listed newest first (Amazon S3, ListObjectVersions).
  if (versions.findLast((version) => !version.deleteMarker)?.versionId !== versionId) throw exists(key);
}

export function exists(key: string): DocksealError {
  return new DocksealError("object-exists", { detail: `the key ${key} is in use` });
}

/** The version that this attempt wrote, if it did; undefined when the key holds none, or another's. */
async function findOwn(
  connection: S3Connection,
  { key, attemptId }: Pick<Attempt, "key" | "attemptId">,
  options: ControlOptions,
): Promise<ObjectRef | undefined> {
  for (const version of await ofKey(listVersions(connection, key, options), key)) {
    if (version.deleteMarker) continue;
    const facts = await head(connection, version, options);
    if (facts?.attemptId === attemptId) return version;
  }
  return undefined;
}

/**
 * Removes what a failed attempt may have left: its own version, never one that another wrote under the same key, and
 * the unfinished uploads of the key, of which none can be anybody's success.
 */
export async function removeOwn(connection: S3Connection, attempt: Attempt): Promise<void> {
  const options = { attempts: 1, signal: AbortSignal.timeout(connection.timeouts.cleanUpMs) };
  for (const { uploadId } of await ofKey(listUploads(connection, attempt.key, options), attempt.key)) {
    await abortUpload(connection, attempt.key, uploadId, options);
  }
  const own = await findOwn(connection, attempt, options);
  if (!own) return;
  await connection.control(
    "clean up",
    (client) => client.removeObject(connection.bucket, own.key, { versionId: own.versionId }),
    options,
  );
}

/** Gone already is no error. */
export async function abortUpload(
  connection: S3Connection,
  key: string,
  uploadId: string,
  options?: ControlOptions,
): Promise<void> {
  await connection.control(
    "abort upload",
    async (client) => {
      try {
        await client.abortMultipartUpload(connection.bucket, key, encodeURIComponent(uploadId));
      } catch (error) {
        if (!(error instanceof S3AnswerError && error.status === 404)) throw error;
      }
    },
    options,
  );
}
