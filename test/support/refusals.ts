import { deepStrictEqual } from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { sql } from "kysely";
import type { Test } from "tap";
import { type ProblemCode, pause } from "#kernel";
import { type EvidenceStore, openStore } from "#store";
import type { CurlAnswer } from "./curl.ts";
import type { Stack } from "./stack.ts";
import { until } from "./until.ts";

/** Everything that an upload could leave behind. */
interface Kept {
  readonly clips: number;
  readonly steps: number;
  readonly recorders: number;
  readonly events: number;
  readonly intents: number;
  /** Stored versions and unfinished uploads under `originals/`, by key. */
  readonly objects: readonly string[];
  readonly unfinished: readonly string[];
}

/** Looks at the database and the store from outside of the product. */
export class Traces {
  readonly #stack: Stack;
  readonly #store: EvidenceStore;

  private constructor(stack: Stack, store: EvidenceStore) {
    this.#stack = stack;
    this.#store = store;
  }

  /** @param storeUrl the store's own address, where the product reaches it by another way. */
  static async of(t: Test, stack: Stack, storeUrl = stack.environment["DOCKSEAL_STORE_URL"] ?? ""): Promise<Traces> {
    const store = await openStore(storeUrl);
    t.teardown(() => store.close());
    return new Traces(stack, store);
  }

  async kept(): Promise<Kept> {
    const { rows } = await sql<Omit<Kept, "objects" | "unfinished">>`
      SELECT (SELECT count(*) FROM clip)::int AS clips, (SELECT count(*) FROM clip_step)::int AS steps,
        (SELECT count(*) FROM recorder)::int AS recorders, (SELECT count(*) FROM custody_event)::int AS events,
        (SELECT count(*) FROM store_intent)::int AS intents`.execute(this.#stack.db);
    if (rows[0] === undefined) throw new Error("no figures");
    const objects: string[] = [];
    for await (const version of this.#store.list("originals/")) objects.push(version.key);
    const unfinished: string[] = [];
    for await (const upload of this.#store.listUnfinished("originals/")) unfinished.push(upload.key);
    return { ...rows[0], objects: objects.sort(), unfinished: unfinished.sort() };
  }

  /** The promise of a refusal: database and store are as they were before. */
  async nothingLeft(t: Test, before: Kept, what: string): Promise<void> {
    t.strictSame(await this.kept(), before, `${what}: nothing is left`);
  }

  /** As {@link nothingLeft}, where the sender got no answer to tell that the clean-up is over. */
  async nothingLeftSoon(t: Test, before: Kept, what: string): Promise<void> {
    await until(`${what}: nothing is left`, async () => {
      deepStrictEqual(await this.kept(), before); // tells what is left, should it stay
      return true;
    });
    await this.nothingLeft(t, before, what);
  }
}

interface Problem {
  readonly type: string;
  readonly status: number;
  readonly title: string;
  readonly advice: string;
  readonly requestId: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly field: string; readonly problem: string }[];
}

/** Checks that an answer is the problem document of that code, whole. */
export function refusedWith(t: Test, answer: CurlAnswer, status: number, code: ProblemCode, what: string): Problem {
  t.equal(answer.status, status, `${what}: status ${status}${answer.status === status ? "" : `, body ${answer.body}`}`);
  t.match(answer.headers, /^content-type: application\/problem\+json/im, `${what}: a problem document`);
  const problem = answer.json<Problem>();
  t.match(problem, { type: `/problems/${code}`, status }, `${what}: ${code}`);
  t.ok(problem.title.length > 0 && problem.advice.length > 10, `${what}: it says what to do`);
  t.equal(header(answer, "x-request-id"), problem.requestId, `${what}: the request's id is in the header as well`);
  return problem;
}

export function header(answer: Pick<CurlAnswer, "headers">, name: string): string | undefined {
  return new RegExp(`^${name}: *(.*?)\\r?$`, "im").exec(answer.headers)?.[1];
}

export interface Part {
  readonly name: string;
  readonly content: string | Buffer;
  readonly fileName?: string;
  readonly type?: string;
}

export const boundary = "dockseal-test-boundary-7MA4YWxkTrZu0gW";
export const formType = `content-type: multipart/form-data; boundary=${boundary}`;

/** Head of one part, up to its first byte. */
export function partHead({ name, fileName, type }: Omit<Part, "content">): string {
  const file = fileName === undefined ? "" : `; filename="${fileName}"`;
  const kind = type === undefined ? "" : `Content-Type: ${type}\r\n`;
  return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n${kind}\r\n`;
}

/** A body of RFC 7578, byte for byte as given: for what a decent client would not send. */
export function formBody(parts: readonly Part[], end = `--${boundary}--\r\n`): Buffer {
  const pieces = parts.flatMap((part) => [Buffer.from(partHead(part)), Buffer.from(part.content), Buffer.from("\r\n")]);
  return Buffer.concat([...pieces, Buffer.from(end)]);
}

/** An upload over a bare socket, sent as slowly and ended as rudely as a test wants. */
export class RawUpload {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  readonly #closed: Promise<unknown>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data) => {
      this.#received = Buffer.concat([this.#received, data]);
    });
    socket.on("error", () => socket.destroy());
    this.#closed = new Promise((resolve) => socket.once("close", resolve));
  }

  static async open(url: string): Promise<RawUpload> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, "connect");
    return new RawUpload(socket);
  }

  /** Begins `POST /api/v1/clips` with a body of that length. */
  async begin(token: string, contentLength: number): Promise<void> {
    await this.send(
      `POST /api/v1/clips HTTP/1.1\r\nhost: dockseal\r\nauthorization: Bearer ${token}\r\n${formType}\r\ncontent-length: ${contentLength}\r\n\r\n`,
    );
  }

  async send(bytes: string | Buffer): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** The answer, once it is there whole; undefined when the connection ended without one. */
  async answer(): Promise<CurlAnswer | undefined> {
    let over = false;
    void this.#closed.then(() => {
      over = true;
    });
    for (;;) {
      const found = wholeAnswer(this.#received.toString("utf8"));
      if (found !== undefined || over) return found;
      await pause(20);
    }
  }

  get ended(): Promise<unknown> {
    return this.#closed;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function wholeAnswer(text: string): CurlAnswer | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const headers = text.slice(0, end);
  const body = text.slice(end + 4);
  if (Buffer.byteLength(body) < Number(header({ headers }, "content-length") ?? 0)) return undefined;
  return { status: Number(headers.slice(9, 12)), headers, body, json: <T>() => JSON.parse(body) as T };
}
