import createClient from "openapi-fetch";
import { NoAnswer, Problem } from "./problem.ts";
import type { paths } from "./schema.ts";

// The API of this origin, typed by docs/openapi.json. Who is signed in is known by a cookie that scripts cannot read.

let csrfToken = "";
let whenSignedOut: () => void = () => undefined;

/** Sent with every change from now on. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Called when the server no longer knows the session. */
export function onSignedOut(callback: () => void): void {
  whenSignedOut = callback;
}

export const api = createClient<paths>({ baseUrl: window.location.origin, credentials: "same-origin" });

api.use({
  onRequest({ request }) {
    if (request.method !== "GET") request.headers.set("x-csrf-token", csrfToken);
  },
  onResponse({ request, response }) {
    const signingIn = request.method === "POST" && new URL(request.url).pathname === "/api/v1/session";
    if (response.status === 401 && !signingIn) whenSignedOut();
  },
});

interface Answer<T> {
  readonly data?: T;
  readonly error?: unknown;
  readonly response: Response;
}

/**
 * The data of a good answer.
 * @throws Problem for every other answer, NoAnswer when there was none.
 */
export async function asked<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof TypeError) throw new NoAnswer(error);
    throw error;
  }
  if (!answer.response.ok) throw new Problem(answer.response.status, answer.error);
  return answer.data as T;
}
