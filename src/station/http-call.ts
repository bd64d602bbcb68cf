import { type ClientRequest, type IncomingHttpHeaders, request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";

/** A body whose length is known before its first byte. */
export interface Body {
  readonly sizeBytes: number;
  readonly pieces: AsyncIterable<Buffer>;
}

export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** A line on which nothing moves for so long is dead. */
const idleMs = 120_000;
/** No answer of the API that a station asks for is longer. */
const maximumAnswerBytes = 8 * 1024 * 1024;

/**
 * One request. An answer that comes before the whole body was sent is an answer.
 * @throws Error when the line breaks, when `signal` aborts, or when the body's pieces fail: then the server sees a cut
 * connection, never a shortened body.
 */
export function call({ method, url, headers, body, signal }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === "https:" ? tlsRequest : plainRequest;
    const length = body === undefined ? {} : { "content-length": String(body.sizeBytes) };
    const outgoing = request(url, { method, headers: { ...headers, ...length }, signal });
    let answered = false;
    outgoing.on("error", reject);
    outgoing.setTimeout(idleMs, () => outgoing.destroy(new Error(`no byte moved for ${idleMs / 1000} s`)));
    outgoing.on("response", (incoming) => {
      answered = true;
      textOf(incoming)
        .then((text) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }), reject)
        .finally(() => {
          // The rest of a body that is not wanted any more: the connection cannot be used again.
          if (!outgoing.writableFinished) outgoing.destroy();
        });
    });
    const send = async (): Promise<void> => {
      for await (const piece of body?.pieces ?? []) {
        if (answered) return;
        if (!outgoing.write(piece)) await drainedOrClosed(outgoing);
        if (outgoing.destroyed) return;
      }
      if (!answered) outgoing.end();
    };
    send().catch((error: Error) => outgoing.destroy(error));
  });
}

/** Never rejects: what closed the request is told where its answer is waited for. */
function drainedOrClosed(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done).off("close", done);
      resolve();
    };
    outgoing.on("drain", done).on("close", done);
  });
}

async function textOf(incoming: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of incoming) {
    sizeBytes += chunk.length;
    if (sizeBytes > maximumAnswerBytes) throw new Error("the answer is longer than any that was asked for");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
