/** Speaks to the API as one signed-in person. */
export class PersonClient {
  readonly #server: string;
  readonly #cookie: string;
  readonly #csrfToken: string;

  private constructor(server: string, cookie: string, csrfToken: string) {
    this.#server = server;
    this.#cookie = cookie;
    this.#csrfToken = csrfToken;
  }

  static async signIn(server: string, name: string, password: string): Promise<PersonClient> {
    const answer = await fetch(`${server}/api/v1/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name, password }),
    });
    const { csrfToken } = await readJson<{ csrfToken: string }>(answer);
    const cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? "";
    return new PersonClient(server, cookie, csrfToken);
  }

  async get<T>(path: string): Promise<T> {
    return readJson<T>(await fetch(`${this.#server}${path}`, { headers: { cookie: this.#cookie } }));
  }

  /** The first bytes of something that is no JSON. */
  async read(path: string, bytes: number): Promise<void> {
    const headers = { cookie: this.#cookie, range: `bytes=0-${bytes - 1}` };
    const answer = await fetch(`${this.#server}${path}`, { headers });
    if (!answer.ok) await readJson(answer);
    await answer.arrayBuffer();
  }

  post<T>(path: string, body?: unknown): Promise<T> {
    return this.#change("POST", path, body, {});
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.#change("PUT", path, body, {});
  }

  /** Changes what stands at a revision, and nothing later. */
  patch<T>(path: string, revision: number, body: unknown): Promise<T> {
    return this.#change("PATCH", path, body, { "if-match": `"${revision}"` });
  }

  async #change<T>(method: string, path: string, body: unknown, more: Readonly<Record<string, string>>): Promise<T> {
    const told = body === undefined ? {} : { "content-type": "application/json" };
    return readJson<T>(
      await fetch(`${this.#server}${path}`, {
        method,
        headers: { cookie: this.#cookie, "x-csrf-token": this.#csrfToken, ...told, ...more },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    );
  }
}

async function readJson<T>(answer: Response): Promise<T> {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} from ${new URL(answer.url).pathname}: ${text.slice(0, 500)}`);
  return JSON.parse(text) as T;
}
