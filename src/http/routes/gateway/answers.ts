import type { FastifyReply, FastifyRequest } from "fastify";
import { problemOf } from "../../problem-replies.ts";

/** Every answer of the dialect: code 0 and a body, or another code and a message. */
export function done<T>(body: T): { code: 0; message: "SUCCESS"; body: T } {
  return { code: 0, message: "SUCCESS", body };
}

/**
 * A refusal in the dialect's form: `code` is the status of HTTP, so that stations that look at one of the two see it;
 * `message` begins with our own code and says what to do.
 */
export function sendRefusal(request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply {
  const problem = problemOf(error);
  if (problem.status >= 500) request.log.error({ err: problem, code: problem.code }, "request failed");
  else request.log.info({ code: problem.code, detail: problem.detail }, "request refused");
  if (problem.retryAfterSeconds !== undefined) reply.header("retry-after", problem.retryAfterSeconds);
  const detail = problem.detail === undefined ? "" : ` ${problem.detail}.`;
  const message = `${problem.code}: ${problem.title}.${detail} ${problem.advice}`;
  const { errors: _errors, ...body } = problem.extra;
  return reply
    .status(problem.status)
    .header("content-type", "application/json; charset=utf-8")
    .send(JSON.stringify({ code: problem.status, message, requestId: request.id, body }));
}
