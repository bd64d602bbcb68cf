import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { ContentDigests, type ContentFacts } from "#evidence";
import { pause } from "#kernel";
import { until } from "./fault-until.ts";

/** A file on a card, with the digests that the station took of it by itself. */
export interface Recording {
  readonly bytes: Buffer;
  readonly facts: ContentFacts;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What a station believes to be safe: there was a 201 (or, after a lost answer, a 200) for it. */
export interface Acknowledged {
  readonly clipId: string;
  readonly facts: ContentFacts;
}

export interface RecordingOptions {
  /** Without a length the bytes go into the store in parts. */
  readonly lengthKnown?: boolean;
  /** Without a digest the server has nothing to compare with but its own. */
  readonly digestKnown?: boolean;
  readonly recorderSerial?: string;
  readonly fileName?: string;
}

export function recordingOf(bytes: Buffer, options: RecordingOptions = {}): Recording {
  const digests = new ContentDigests();
  digests.update(bytes);
  const facts = digests.finish();
  const { lengthKnown = true, digestKnown = true, recorderSerial = "FAULT-0001", fileName = "clip.bin" } = options;
  return {
    bytes,
    facts,
    metadata: {
      recorderSerial,
      collectorNumber: "37150001",
      fileName,
      capturedAt: "2026-11-21 09:30:00",
      ...(lengthKnown ? { sizeBytes: bytes.length } : {}),
      ...(digestKnown ? { digest: { sha256: facts.sha256 } } : {}),
    },
  };
}

/** Random bytes: no two recordings are the same. */
export function newRecording(sizeBytes: number, options?: RecordingOptions): Recording {
  return recordingOf(randomBytes(sizeBytes), options);
}

export interface Pace {
  /** In so many pieces … */
  readonly pieces: number;
  /** … with so long between two of them. */
  readonly gapMs: number;
  /** Cuts the connection. */
  readonly signal?: AbortSignal;
}

export interface Answer {
  /** 0: the connection ended without an answer. */
  readonly status: number;
  readonly body: string;
}

/** Sends one recording once, in paced pieces over a connection of its own. Never rejects. */
export async function sendPaced(url: string, token: string, recording: Recording, pace: Pace): Promise<Answer> {
  const boundary = `dockseal-${randomUUID()}`;
  const part = (name: string, more = "") =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
  const head = `${part("metadata")}${JSON.stringify(recording.metadata)}\r\n${part("file", '; filename="clip.bin"')}`;
  const tail = `\r\n--${boundary}--\r\n`;
  const lengthKnown = "sizeBytes" in recording.metadata;
  const outgoing = request(`${url}/api/v1/clips`, {
    method: "POST",
    agent: false,
    ...(pace.signal === undefined ? {} : { signal: pace.signal }),
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": `multipart/form-data; boundary=${boundary}`,
      ...(lengthKnown ? { "content-length": Buffer.byteLength(head) + recording.bytes.length + tail.length } : {}),
    },
  });
  const answer = answerOf(outgoing);
  let answered = false;
  void answer.then(() => {
    answered = true;
  });
  const pieceBytes = Math.ceil(recording.bytes.length / pace.pieces);
  outgoing.write(head);
  for (let at = 0; at < recording.bytes.length && !answered; at += pieceBytes) {
    if (at > 0) await Promise.race([pause(pace.gapMs), answer]);
    if (!outgoing.write(recording.bytes.subarray(at, at + pieceBytes))) {
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
    const broken = (error: Error): void => resolve({ status: 0, body: error.message });
    outgoing.on("error", broken);
    let answering = false;
    outgoing.on("close", () => {
      if (!answering) broken(new Error("closed"));
    });
    outgoing.on("response", (response: IncomingMessage) => {
      answering = true;
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), broken);
    });
  });
}

/** Stations that keep a file and send it again until it is taken, as ours does. Tells what was answered how often. */
export class Fleet {
  readonly #url: string;
  readonly #token: string;
  readonly acknowledged: Acknowledged[] = [];
  readonly answers = new Map<number, number>();
  retries = 0;

  constructor(stack: { readonly url: string; readonly party: { readonly token: string } }) {
    this.#url = stack.url;
    this.#token = stack.party.token;
  }

  /** One try. An answer that no fault explains is an error. */
  async once(recording: Recording, pace: Pace): Promise<Acknowledged | undefined> {
    const { status, body } = await sendPaced(this.#url, this.#token, recording, pace);
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    if (status === 200 || status === 201) {
      const clip = JSON.parse(body) as { id: string; sha256: string; sizeBytes: number };
      if (clip.sha256 !== recording.facts.sha256 || clip.sizeBytes !== recording.facts.sizeBytes) {
        throw new Error(`the answer is about other bytes: ${body}`);
      }
      const acknowledged = { clipId: clip.id, facts: recording.facts };
      this.acknowledged.push(acknowledged);
      return acknowledged;
    }
    // 400 is what an upload gets whose connection broke: only `upload-aborted` may be it.
    const expected = status === 0 || status === 503 || status === 408 || /\/problems\/upload-aborted/.test(body);
    if (!expected) throw new Error(`unexpected answer ${status}: ${body}`);
    return undefined;
  }

  /** Sends until it is taken. */
  async push(recording: Recording, pace: Pace, { seconds = 120 } = {}): Promise<Acknowledged> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const taken = await this.once(recording, pace);
      if (taken !== undefined) return taken;
      if (Date.now() > deadline) throw new Error(`not taken within ${seconds} s`);
      this.retries += 1;
      await pause(300);
    }
  }

  /** Waits until so many are acknowledged in all. */
  async reached(count: number): Promise<void> {
    await until(`${count} acknowledged uploads`, () => this.acknowledged.length >= count, { everyMs: 5 });
  }

  get summary(): string {
    const answers = [...this.answers].sort(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`);
    return `${this.acknowledged.length} acknowledged; answers ${answers.join(", ")}; ${this.retries} sent again`;
  }
}

/**
 * The load of the kill tests: `count` uploads at once of 4 to 8 MB, every fifth without a length and longer than one
 * part; they end one after the other over some seconds, so that a kill always falls into the middle of most.
 */
export function concurrentUploads(fleet: Fleet, count = 20): Promise<Acknowledged[]> {
  return Promise.all(
    Array.from({ length: count }, (_, at) => {
      const inParts = at % 5 === 4;
      const sizeBytes = inParts ? 18_000_000 + at * 1001 : 4_000_000 + at * 200_003;
      const recording = newRecording(sizeBytes, { lengthKnown: !inParts, digestKnown: at % 2 === 0 });
      return fleet.push(recording, { pieces: 12, gapMs: 20 + at * 14 });
    }),
  );
}
