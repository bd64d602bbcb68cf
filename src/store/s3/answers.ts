import type { IncomingMessage } from "node:http";
import { DocksealError, type ProblemCode } from "#kernel";
import { textOf } from "./xml.ts";

/** An error document of S3 is a few hundred bytes; a proxy's page may be more, and nobody reads that. */
const LONGEST_ERROR_BYTES = 64 * 1024;
const LONGEST_ERROR_MS = 5000;

/** What an S3 server said no with. */
export class S3AnswerError extends Error {
  override readonly name = "S3AnswerError";
  readonly status: number;
  /** The S3 error code; where the answer has no document (HEAD), one made from the status. */
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(`${status} ${code}${message === "" ? "" : `: ${message}`}`);
    this.status = status;
    this.code = code;
  }
}

/** A call that was given up because no answer came in time. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}

/** Reads the error document of an answer. Never rejects and never hangs: a document that breaks off is as good as none. */
export function readAnswerError(response: IncomingMessage): Promise<S3AnswerError> {
  const status = response.statusCode ?? 0;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => response.destroy(), LONGEST_ERROR_MS);
    const finish = () => {
      clearTimeout(timer);
      resolve(answerError(status, Buffer.concat(chunks).toString("utf8")));
    };
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= LONGEST_ERROR_BYTES) chunks.push(chunk);
      else response.destroy();
    });
    response.once("end", finish);
    response.once("error", finish);
    response.once("close", finish);
  });
}

/** @param xml an error document, or whatever came instead. */
export function answerError(status: number, xml: string): S3AnswerError {
  const code = textOf(xml, "Code") ?? (status === 404 ? "NotFound" : `Status${status}`);
  return new S3AnswerError(status, code, textOf(xml, "Message") ?? "");
}

/** Whether the version (or its lock configuration) does not exist, as opposed to a call that failed. */
export function isMissing(error: unknown): boolean {
  if (!(error instanceof S3AnswerError)) return false;
  // A version id that is not of the server's form is a version that it does not have (AWS answers 400).
  if (error.code === "NoSuchBucket") return false;
  return error.status === 404 || (error.status === 400 && /^(NoSuchVersion|InvalidArgument)$/.test(error.code));
}

/** Whether a server refuses for what the object is, not for its own trouble. */
export function isRefusal(error: unknown): error is S3AnswerError {
  return error instanceof S3AnswerError && [400, 403, 405, 409].includes(error.status);
}

/** Whether the same call may succeed a moment later: no answer, a broken connection, the server's own trouble. */
export function isPassing(error: unknown): boolean {
  if (error instanceof DocksealError) return false;
  if (!(error instanceof S3AnswerError)) return true;
  if (error.status === 507 || error.status === 501) return false;
  return error.status >= 500 || error.status === 408 || error.status === 429 || error.code === "RequestTimeout";
}

const problemOfCode: Readonly<Record<string, ProblemCode>> = {
  NoSuchKey: "object-missing",
  NoSuchVersion: "object-missing",
  InvalidRange: "range-not-satisfiable",
  QuotaExceeded: "store-full",
  InsufficientStorage: "store-full",
  XMinioStorageFull: "store-full",
  BadDigest: "digest-differs",
  XAmzContentSHA256Mismatch: "digest-differs",
  XAmzContentChecksumMismatch: "digest-differs",
  PreconditionFailed: "object-exists",
};

/** The problem that a fault is for a caller. Everything that is not known is `store-unavailable`: nothing is confirmed. */
export function asProblem(operation: string, error: unknown): DocksealError {
  if (error instanceof DocksealError) return error;
  if (error instanceof S3AnswerError) {
    const code = error.status === 507 ? "store-full" : problemOfCode[error.code];
    const detail = `${operation}: the store answered ${error.status} ${error.code}`;
    if (code) return new DocksealError(code, { detail, cause: error });
    return new DocksealError("store-unavailable", { detail, cause: error, retryAfterSeconds: 10 });
  }
  const why = error instanceof NoAnswerError ? error.message : "the connection to the store failed";
  return new DocksealError("store-unavailable", {
    detail: `${operation}: ${why}`,
    cause: error,
    retryAfterSeconds: 10,
  });
}
