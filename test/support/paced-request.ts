import { once } from "node:events";
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { pause } from "#kernel";

export interface Pace {
  /** In so many pieces … */
  readonly pieces: number;
  /** … with so long between two of them. */
  readonly gapMs: number;
  /** What the last piece waits for besides. */
  readonly held?: Promise<unknown>;
  /** Cuts the connection. */
  readonly signal?: AbortSignal;
}

export interface Answer {
  /** 0: the connection ended without an answer. */
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Sending {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | number>>;
  /** What is sent in paced pieces … */
  readonly bytes?: Buffer;
  /** … and around them at once. */
  readonly head?: string;
  readonly tail?: string;
}

/** One request over a connection of its own, its body in paced pieces. Never rejects. */
export async function pacedRequest(url: string, sending: Sending, pace: Pace): Promise<Answer> {
  const { method, headers, bytes = Buffer.alloc(0), head = "", tail = "" } = sending;
  const outgoing = request(url, {
    method,
    agent: false,
    ...(pace.signal === undefined ? {} : { signal: pace.signal }),
    headers,
  });
  const answer = answerOf(outgoing);
  let answered = false;
  void answer.then(() => {
    answered = true;
  });
  const pieceBytes = Math.ceil(bytes.length / pace.pieces);
  if (head !== "") outgoing.write(head);
  for (let at = 0; at < bytes.length && !answered; at += pieceBytes) {
    if (at > 0) await Promise.race([pause(pace.gapMs), answer]);
    if (at + pieceBytes >= bytes.length) await Promise.race([pace.held, answer]);
    if (!outgoing.write(bytes.subarray(at, at + pieceBytes))) {
      await Promise.race([once(outgoing, "drain").catch(() => undefined), answer]); // `answer` tells of the error
    }
  }
  if (!answered) outgoing.end(tail);
  const got = await answer;
  outgoing.destroy();
  return got;
}

function answerOf(outgoing: ClientRequest): Promise<Answer> {
  return new Promise((resolve) => {
    const broken = (error: Error): void => resolve({ status: 0, body: error.message, headers: {} });
    outgoing.on("error", broken);
    let answering = false;
    outgoing.on("close", () => {
      if (!answering) broken(new Error("closed"));
    });
    outgoing.on("response", (response: IncomingMessage) => {
      answering = true;
      const { statusCode: status = 0, headers } = response;
      text(response).then((body) => resolve({ status, body, headers }), broken);
    });
  });
}
