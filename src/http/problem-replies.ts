import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { databaseUnavailable, isDatabaseAway } from "#db";
import { DocksealError, type ProblemCode } from "#kernel";
import { fieldProblem, type SchemaError } from "#schema";

const multipartCodes: Readonly<Record<string, ProblemCode>> = {
  FST_INVALID_MULTIPART_CONTENT_TYPE: "unsupported-media-type",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported-media-type",
  FST_ERR_CTP_BODY_TOO_LARGE: "body-too-large",
  FST_FIELDS_LIMIT: "one-file-only",
  FST_FILES_LIMIT: "one-file-only",
  FST_PARTS_LIMIT: "one-file-only",
  FST_PROTO_VIOLATION: "malformed-request",
};

/** Any error as one of ours; what is not known is `internal`, with the cause for the log only. */
export function problemOf(error: unknown): DocksealError {
  if (error instanceof DocksealError) return error;
  const fault = error as FastifyError;
  if (Array.isArray(fault.validation)) return fieldProblem(fault.validation as SchemaError[]);
  // The framework's own words repeat the whole address, which may hold the key of a station.
  if (fault.code === "FST_ERR_BAD_URL")
    return new DocksealError("malformed-request", { detail: "the address is malformed" });
  const known = multipartCodes[fault.code];
  if (known !== undefined) return new DocksealError(known, { detail: fault.message, cause: error });
  if (isDatabaseAway(error)) return databaseUnavailable(error);
  if (fault.statusCode === 429) return new DocksealError("too-many-requests", { detail: fault.message });
  if (fault.statusCode !== undefined && fault.statusCode >= 400 && fault.statusCode < 500) {
    return new DocksealError("malformed-request", { detail: fault.message, cause: error });
  }
  return new DocksealError("internal", { cause: error });
}

/** The problem document of RFC 9457, with what to do (`advice`) and the request's id beside the standard members. */
export function problemDocument(problem: DocksealError, requestId: string): Record<string, unknown> {
  return {
    type: `/problems/${problem.code}`,
    title: problem.title,
    status: problem.status,
    detail: problem.detail,
    advice: problem.advice,
    requestId,
    ...problem.extra,
  };
}

/** @returns the error as one of ours, noted in the log of the process: a fault with its cause, a refusal in short. */
export function notedProblem(request: FastifyRequest, error: unknown): DocksealError {
  const problem = problemOf(error);
  if (problem.status >= 500) {
    request.log.error({ err: problem, code: problem.code }, "request failed");
  } else {
    request.log.info({ code: problem.code, detail: problem.detail }, "request refused");
  }
  return problem;
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const problem = notedProblem(request, error);
  if (problem.retryAfterSeconds !== undefined) reply.header("retry-after", problem.retryAfterSeconds);
  if (problem.status === 401) reply.header("www-authenticate", 'Bearer realm="dockseal"');
  return reply
    .status(problem.status)
    .header("content-type", "application/problem+json; charset=utf-8")
    .send(JSON.stringify(problemDocument(problem, request.id)));
}

export function replyWithProblems(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => sendProblem(request, reply, error));
  app.setNotFoundHandler((request, reply) => sendProblem(request, reply, new DocksealError("not-found")));
}
