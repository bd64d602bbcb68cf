import { randomBytes, randomUUID } from "node:crypto";
import { ContentDigests, type ContentFacts } from "#evidence";
import { pause } from "#kernel";
import { type Answer, type Pace, pacedRequest, type Sending } from "./paced-request.ts";
import { until } from "./until.ts";

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

/** Ways in that take a file in one request. */
export type PlainWay = "form" | "raw";

/** What one request with the whole recording is made of. */
function wholeIn(way: PlainWay, recording: Recording): Sending & { readonly path: string } {
  const { bytes, metadata } = recording;
  const lengthKnown = "sizeBytes" in metadata;
  if (way === "raw") {
    const headers = {
      "content-type": "application/octet-stream",
      "dockseal-metadata": Buffer.from(JSON.stringify(metadata)).toString("base64"),
      ...(lengthKnown ? { "content-length": bytes.length } : {}),
    };
    return { path: "/api/v1/clips/raw", method: "PUT", headers, bytes };
  }
  const boundary = `dockseal-${randomUUID()}`;
  const part = (name: string, more = "") =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
  const head = `${part("metadata")}${JSON.stringify(metadata)}\r\n${part("file", '; filename="clip.bin"')}`;
  const tail = `\r\n--${boundary}--\r\n`;
  const headers = {
    "content-type": `multipart/form-data; boundary=${boundary}`,
    ...(lengthKnown ? { "content-length": Buffer.byteLength(head) + bytes.length + tail.length } : {}),
  };
  return { path: "/api/v1/clips", method: "POST", headers, bytes, head, tail };
}

interface Patience {
  /** For one file, however often it is sent. */
  readonly seconds: number;
  /** Before it is sent again, also when the server asks for more. */
  readonly longestPauseMs: number;
}

/** Stations that keep a file and send it again until it is taken, as ours does. Tells what was answered how often. */
export class Fleet {
  readonly #url: string;
  readonly #token: string;
  readonly acknowledged: Acknowledged[] = [];
  readonly answers = new Map<number, number>();
  readonly #patience: Patience;
  #retryAfterMs = 0;
  retries = 0;

  constructor(
    stack: { readonly url: string; readonly party: { readonly token: string } },
    patience: Patience = { seconds: 120, longestPauseMs: 300 },
  ) {
    this.#url = stack.url;
    this.#token = stack.party.token;
    this.#patience = patience;
  }

  /** One request with this fleet's token, counted by its answer. Never rejects. */
  async call(path: string, sending: Sending, pace: Pace = { pieces: 1, gapMs: 0 }): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.#token}`, ...sending.headers };
    const answer = await pacedRequest(`${this.#url}${path}`, { ...sending, headers }, pace);
    this.answers.set(answer.status, (this.answers.get(answer.status) ?? 0) + 1);
    this.#retryAfterMs = Number(answer.headers["retry-after"] ?? 0) * 1000;
    return answer;
  }

  /** One try. An answer that no fault explains is an error. */
  async once(recording: Recording, pace: Pace, way: PlainWay = "form"): Promise<Acknowledged | undefined> {
    const { path, ...sending } = wholeIn(way, recording);
    const answer = await this.call(path, sending, pace);
    const { status, body } = answer;
    if (status === 200 || status === 201) return this.acknowledge(answer, recording);
    // 400 is what an upload gets whose connection broke: only `upload-aborted` may be it.
    const expected = status === 0 || status === 503 || status === 408 || /\/problems\/upload-aborted/.test(body);
    if (!expected) throw new Error(`unexpected answer ${status}: ${body}`);
    return undefined;
  }

  /** Believes an answer that a file is taken. */
  acknowledge({ body }: Answer, { facts }: Recording): Acknowledged {
    const clip = JSON.parse(body) as { id: string; sha256: string; sizeBytes: number };
    if (clip.sha256 !== facts.sha256 || clip.sizeBytes !== facts.sizeBytes) {
      throw new Error(`the answer is about other bytes: ${body}`);
    }
    const acknowledged = { clipId: clip.id, facts };
    this.acknowledged.push(acknowledged);
    return acknowledged;
  }

  /** Sends until it is taken. */
  push(recording: Recording, pace: Pace, way: PlainWay = "form"): Promise<Acknowledged> {
    return this.untilTaken(() => this.once(recording, pace, way));
  }

  /** Tries until it is taken, with the pause that the server asks for in between. */
  async untilTaken(attempt: () => Promise<Acknowledged | undefined>): Promise<Acknowledged> {
    const { seconds, longestPauseMs } = this.#patience;
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const taken = await attempt();
      if (taken !== undefined) return taken;
      if (Date.now() > deadline) throw new Error(`not taken within ${seconds} s`);
      this.retries += 1;
      await pause(Math.min(Math.max(this.#retryAfterMs, 300), longestPauseMs));
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
