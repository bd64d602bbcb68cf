import type { Role } from "#identity";
import { type CurlAnswer, curl } from "./curl.ts";
import { header } from "./refusals.ts";
import type { Stack, TestParty } from "./stack.ts";

/** One who calls the API with curl: the headers that say who it is. */
export class Caller {
  readonly #url: string;
  /** As arguments of curl. */
  readonly headers: readonly string[];

  constructor(url: string, headers: readonly string[]) {
    this.#url = url;
    this.headers = headers.flatMap((line) => ["-H", line]);
  }

  static nobody(stack: Stack): Caller {
    return new Caller(stack.url, []);
  }

  static station(stack: Stack, party: TestParty = stack.party): Caller {
    return new Caller(stack.url, [`authorization: Bearer ${party.token}`]);
  }

  /** Signs in. */
  static async person(stack: Stack, role: Role, party: TestParty = stack.party): Promise<Caller> {
    const { name, password } = party.people[role];
    const answer = await Caller.nobody(stack).call("POST", "/api/v1/session", { name, password });
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
    const cookie = header(answer, "set-cookie")?.split(";")[0] ?? "";
    return new Caller(stack.url, [
      `cookie: ${cookie}`,
      `x-csrf-token: ${answer.json<{ csrfToken: string }>().csrfToken}`,
    ]);
  }

  /** Says what a clip is viewed for: before that a person gets none of it. */
  async view(clipId: string, purpose = "办案"): Promise<void> {
    const answer = await this.call("POST", `/api/v1/clips/${clipId}/viewings`, { purpose });
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
  }

  /** The same without one of its headers. */
  without(name: string): Caller {
    const lines = this.headers.filter((_, at) => at % 2 === 1 && !this.headers[at]?.startsWith(`${name}:`));
    return new Caller(this.#url, lines);
  }

  with(...lines: string[]): Caller {
    return new Caller(this.#url, [...this.headers.filter((_, at) => at % 2 === 1), ...lines]);
  }

  call(method: string, path: string, body?: unknown, ...more: string[]): Promise<CurlAnswer> {
    const json =
      body === undefined ? [] : ["-H", "content-type: application/json", "--data-binary", JSON.stringify(body)];
    const how = method === "HEAD" ? ["--head"] : ["-X", method];
    return curl(...how, ...this.headers, ...json, ...more, "--path-as-is", `${this.#url}${path}`);
  }
}
