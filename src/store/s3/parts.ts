import { text } from "node:stream/consumers";
import type { NewPart, WrittenPart } from "../port.ts";
import { answerError, S3AnswerError } from "./answers.ts";
import { type Attempt, attemptHeaders, onlyIfAbsent, versionOf } from "./attempt.ts";
import type { ControlOptions, S3Connection } from "./connection.ts";
import { toQuery } from "./control.ts";
import { elements, textOf } from "./xml.ts";

/** A multipart upload on the server. */
export interface PartsOf {
  readonly key: string;
  readonly uploadId: string;
}

/**
 * Starts a multipart upload. Tried once: a second try after a lost answer would leave the first upload behind.
 * @returns the server's id of it.
 */
export function initiateUpload(
  connection: S3Connection,
  attempt: Pick<Attempt, "key" | "attemptId">,
  signal?: AbortSignal,
): Promise<string> {
  return connection.control(
    "start upload",
    async (client) => {
      const post = {
        method: "POST",
        bucketName: connection.bucket,
        objectName: attempt.key,
        query: "uploads",
        headers: attemptHeaders(attempt),
      };
      // The library reads an id of digits as a number, and loses some of them.
      const uploadId = textOf(await text(await client.makeRequestAsync(post)), "UploadId");
      if (!uploadId) throw new S3AnswerError(200, "NoUploadId", "the store named no upload");
      return uploadId;
    },
    { attempts: 1, ...(signal ? { signal } : {}) },
  );
}

/**
 * Sends one part, again where the fault may pass: sending it again replaces it (Amazon S3, UploadPart). Its digest is
 * part of the signature, so the store takes these bytes and no others.
 * @returns its ETag.
 */
export async function uploadPart(
  connection: S3Connection,
  { key, uploadId, number, bytes, sha256 }: PartsOf & NewPart,
  signal: AbortSignal,
): Promise<string> {
  const part = {
    method: "PUT",
    bucketName: connection.bucket,
    objectName: key,
    query: toQuery({ partNumber: String(number), uploadId }),
  };
  // The library's `uploadPart` would hash the bytes once more.
  const response = await connection.call(
    (client) => {
      const headers = { "content-length": String(bytes.length) };
      return client.makeRequestStreamAsync({ ...part, headers }, bytes, sha256, [200], "");
    },
    { signal, timeoutMs: connection.timeouts.partMs },
  );
  response.resume();
  const etag = response.headers.etag?.replaceAll('"', "");
  if (!etag) throw new S3AnswerError(200, "NoETag", `part ${number} got no ETag`);
  return etag;
}

/** One attempt to complete the upload. @returns the version that the server says it made. */
export async function completeUpload(
  connection: S3Connection,
  { key, uploadId }: PartsOf,
  parts: readonly WrittenPart[],
  signal: AbortSignal,
): Promise<string> {
  const listed = parts.map(
    ({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>"${etag}"</ETag></Part>`,
  );
  const namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
  const list = `<CompleteMultipartUpload xmlns="${namespace}">${listed.join("")}</CompleteMultipartUpload>`;
  return connection.call(
    async (client) => {
      const response = await client.makeRequestAsync(
        {
          method: "POST",
          bucketName: connection.bucket,
          objectName: key,
          query: toQuery({ uploadId }),
          headers: { ...onlyIfAbsent },
        },
        list,
      );
      const xml = await text(response);
      if (!xml.includes("<CompleteMultipartUploadResult")) throw answerError(500, xml);
      return versionOf(response);
    },
    { signal, timeoutMs: connection.timeouts.completeMs, attempts: 1 },
  );
}

/** The ETags that the server holds, by part number (ListParts). Its refusal is thrown as it came. */
export async function listParts(
  connection: S3Connection,
  { key, uploadId }: PartsOf,
  options?: ControlOptions,
): Promise<Map<number, string>> {
  const held = new Map<number, string>();
  let marker: Record<string, string> = {};
  while (true) {
    const query = toQuery({ uploadId, ...marker });
    const xml = await connection.call(
      async (client) =>
        text(await client.makeRequestAsync({ method: "GET", bucketName: connection.bucket, objectName: key, query })),
      options,
    );
    for (const entry of elements(xml, "Part")) {
      const etag = (textOf(entry, "ETag") ?? "").replace(/&quot;|&#34;|"/g, "");
      held.set(Number(textOf(entry, "PartNumber")), etag);
    }
    const next = textOf(xml, "NextPartNumberMarker");
    if (textOf(xml, "IsTruncated") !== "true" || !next) return held;
    marker = { "part-number-marker": next };
  }
}
