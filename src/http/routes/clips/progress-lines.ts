import { PassThrough } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { notedProblem, problemDocument } from "../../problem-replies.ts";

/** Proxies and browsers give up a connection on which nothing comes for long. */
const signOfLifeMs = 10_000;

/**
 * Answers with JSON lines (application/x-ndjson): `{progress}` while the work goes on, at the end `{result}`, or
 * `{problem}` when it fails, for the status was sent long before.
 * @param left aborts when the caller is gone: then nobody is told anything any more.
 */
export function progressLines<Progress, Result>(
  request: FastifyRequest,
  reply: FastifyReply,
  left: AbortSignal,
  work: (onProgress: (progress: Progress) => void) => Promise<Result>,
): FastifyReply {
  const body = new PassThrough();
  const write = (line: object): void => void body.write(`${JSON.stringify(line)}\n`);
  let last: Progress | undefined;
  // Whoever reads slowly misses steps, and nothing piles up.
  const tell = (progress: Progress): void => {
    last = progress;
    if (!body.writableNeedDrain) write({ progress });
  };
  const alive = setInterval(() => last !== undefined && tell(last), signOfLifeMs);
  work(tell)
    .then(
      (result) => write({ result }),
      (error: unknown) => {
        if (!left.aborted) write({ problem: problemDocument(notedProblem(request, error), request.id) });
      },
    )
    .finally(() => {
      clearInterval(alive);
      body.end();
    });
  reply.headers({
    "content-type": "application/x-ndjson; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  return reply.send(body);
}
