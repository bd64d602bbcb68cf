import { openAsBlob } from "node:fs";
import type { ClipMetadata } from "#ingest";
import { pause } from "#kernel";

export interface SentClip {
  readonly id: string;
  readonly state: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A refusal that sending again would not change. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly problem: {
    readonly type: string;
    readonly title: string;
    readonly detail?: string;
    readonly advice?: string;
  };

  constructor(problem: Refusal["problem"]) {
    super([problem.title, problem.detail, problem.advice].filter((part) => part !== undefined).join(". "));
    this.problem = problem;
  }
}

/** Speaks to the API as one docking station. */
export class StationClient {
  readonly #server: string;
  readonly #token: string;

  constructor(server: string, token: string) {
    this.#server = server.replace(/\/+$/, "");
    this.#token = token;
  }

  /**
   * Sends a file, and again as long as the fault may pass: at most `attempts` times with growing pauses. Sending twice
   * gives one clip.
   * @throws Refusal when the server will not take it; the last fault when the attempts are used up.
   */
  async send(
    path: string,
    metadata: ClipMetadata,
    options: { signal: AbortSignal; attempts?: number },
  ): Promise<SentClip> {
    return this.#persistently(options, async () => {
      const form = new FormData();
      form.append("metadata", JSON.stringify(metadata));
      form.append("file", await openAsBlob(path), metadata.fileName);
      const answer = await this.#fetch("/api/v1/clips", { method: "POST", body: form, signal: options.signal });
      return (await answer.json()) as SentClip;
    });
  }

  /** The receipt, once there is one. @returns undefined when `signal` aborts before. */
  async receipt(clipId: string, options: { signal: AbortSignal; onWaiting?: () => void }): Promise<string | undefined> {
    while (!options.signal.aborted) {
      const answer = await this.#persistently(options, () =>
        this.#fetch(`/api/v1/clips/${clipId}/receipt`, { signal: options.signal }),
      );
      if (answer.status === 200) return answer.text();
      await answer.body?.cancel();
      options.onWaiting?.();
      await pause(Number(answer.headers.get("retry-after") ?? 1) * 500, options.signal);
    }
    return undefined;
  }

  async #persistently<T>(options: { signal: AbortSignal; attempts?: number }, ask: () => Promise<T>): Promise<T> {
    const attempts = options.attempts ?? 8;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask();
      } catch (error) {
        if (error instanceof Refusal || options.signal.aborted || attempt >= attempts) throw error;
        const asked = error instanceof Unavailable ? error.retryAfterSeconds * 1000 : 0;
        const backOff = Math.min(30_000, 500 * 2 ** attempt);
        await pause(Math.max(asked, backOff * (0.5 + Math.random() / 2)), options.signal);
      }
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const answer = await fetch(`${this.#server}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${this.#token}` },
      redirect: "error",
    });
    if (answer.ok) return answer;
    const text = await answer.text();
    const problem = parseProblem(text) ?? { type: "about:blank", title: `HTTP status ${answer.status}` };
    if ([408, 429, 500, 502, 503, 504, 507].includes(answer.status)) {
      throw new Unavailable(problem.title, Number(answer.headers.get("retry-after") ?? 0));
    }
    throw new Refusal(problem);
  }
}

/** A fault that may pass. */
class Unavailable extends Error {
  readonly retryAfterSeconds: number;
  constructor(message: string, retryAfterSeconds: number) {
    super(message);
    this.retryAfterSeconds = Number.isFinite(retryAfterSeconds) ? Math.min(retryAfterSeconds, 300) : 0;
  }
}

function parseProblem(text: string): Refusal["problem"] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "title" in value ? (value as Refusal["problem"]) : undefined;
  } catch {
    return undefined; // a proxy's page, not ours
  }
}
