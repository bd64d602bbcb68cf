import { pause } from "#kernel";
import { type Answer, type Body, call } from "./http-call.ts";

/** A clip as the server answers with it; what a station looks at. */
export interface SentClip {
  readonly id: string;
  readonly state: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

interface Problem {
  readonly title: string;
  readonly detail?: string;
  readonly advice?: string;
}

/** A refusal that sending again would not change. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;

  constructor(status: number, { title, detail, advice }: Problem) {
    super([title, detail, advice].filter((part) => part !== undefined).join(". "));
    this.status = status;
  }
}

/** A fault that may pass. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
  readonly retryAfterSeconds: number;

  constructor(message: string, retryAfterSeconds = 0) {
    super(message);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export interface Patience {
  readonly signal: AbortSignal;
  /** Tries before the last fault is thrown. */
  readonly attempts: number;
}

/** Speaks to the API as one docking station. */
export class Server {
  readonly #base: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#base = url.replace(/\/+$/, "");
    this.#token = token;
  }

  /** One request, whatever is answered. @param path from `/api/…` on. */
  ask(
    method: string,
    path: string,
    options: { signal: AbortSignal; headers?: Readonly<Record<string, string>>; body?: Body },
  ): Promise<Answer> {
    return call({
      method,
      url: new URL(`${this.#base}${path}`),
      headers: { authorization: `Bearer ${this.#token}`, ...options.headers },
      ...(options.body === undefined ? {} : { body: options.body }),
      signal: options.signal,
    });
  }

  /** One request with JSON, or none. @throws Refusal, Unavailable. */
  async askJson(method: string, path: string, signal: AbortSignal, value?: unknown): Promise<Answer> {
    if (value === undefined) return accepted(await this.ask(method, path, { signal }));
    const bytes = Buffer.from(JSON.stringify(value));
    const headers = { "content-type": "application/json" };
    return accepted(await this.ask(method, path, { signal, headers, body: bodyOf(bytes) }));
  }
}

export function bodyOf(bytes: Buffer): Body {
  return {
    sizeBytes: bytes.length,
    pieces: (async function* () {
      yield bytes;
    })(),
  };
}

/** The answer, when it is a success. @throws Refusal, or Unavailable for what may pass. */
export function accepted(answer: Answer): Answer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  const problem = problemOf(answer.text) ?? { title: `HTTP status ${answer.status}` };
  // 409 and 423 of an upload, and 460 of its checksum (tus 1.0), are told apart by who speaks tus.
  if ([408, 429, 500, 502, 503, 504, 507].includes(answer.status)) {
    throw new Unavailable(problem.title, retryAfterSeconds(answer));
  }
  throw new Refusal(answer.status, problem);
}

/** @throws Error when the answer is no clip: a proxy's page, say. */
export function clipOf(answer: Answer): SentClip {
  const { id, state, sha256, sizeBytes } = JSON.parse(answer.text) as Partial<SentClip>;
  const told = typeof id === "string" && typeof state === "string";
  if (!told || typeof sha256 !== "string" || typeof sizeBytes !== "number") {
    throw new Unavailable("the answer is no clip");
  }
  return { id, state, sha256, sizeBytes };
}

/** Seconds of the header `Retry-After` (RFC 9110 §10.2.3), in either of its forms; at most five minutes. */
export function retryAfterSeconds({ headers }: Answer, now = Date.now()): number {
  const text = headers["retry-after"];
  if (text === undefined) return 0;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - now) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 300) : 0;
}

/** Milliseconds to wait after so many failures: doubling to half a minute, jittered, and never less than was asked for. */
export function backOffMs(failures: number, error: unknown, random = Math.random()): number {
  const asked = error instanceof Unavailable ? error.retryAfterSeconds * 1000 : 0;
  return Math.max(asked, Math.min(30_000, 500 * 2 ** Math.min(failures, 10)) * (0.5 + random / 2));
}

/** Asks again while the fault may pass. @throws what `lasting` says is no such fault, or the last fault. */
export async function persistently<T>(
  { signal, attempts }: Patience,
  ask: (attempt: number) => Promise<T>,
  lasting: (error: unknown) => boolean = (error) => error instanceof Refusal,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask(attempt);
    } catch (error) {
      if (lasting(error) || signal.aborted || attempt >= attempts) throw error;
      await pause(backOffMs(attempt, error), signal);
    }
  }
}

/** `fetch failed` alone helps nobody: what it failed at stands in the cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message === "" && "code" in error ? String(error.code) : error.message;
  return error.cause instanceof Error ? `${own}: ${error.cause.message}` : own;
}

function problemOf(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "title" in value ? (value as Problem) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // a proxy's page, not ours
    throw error;
  }
}
