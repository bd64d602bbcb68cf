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

  async post<T>(path: string, body: unknown): Promise<T> {
    return readJson<T>(
      await fetch(`${this.#server}${path}`, {
        method: "POST",
        headers: { cookie: this.#cookie, "x-csrf-token": this.#csrfToken, "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
  }
}

async function readJson<T>(answer: Response): Promise<T> {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} from ${new URL(answer.url).pathname}: ${text.slice(0, 500)}`);
  return JSON.parse(text) as T;
}
