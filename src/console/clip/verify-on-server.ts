import { api } from "../api/client.ts";
import { NoAnswer, Problem } from "../api/problem.ts";
import type { paths } from "../api/schema.ts";

type Line = paths["/api/v1/clips/{id}/verify"]["post"]["responses"][200]["content"]["application/x-ndjson"];
export type Verification = NonNullable<Line["result"]>;
export type VerificationProgress = NonNullable<Line["progress"]>;

/**
 * Has the server read the stored bytes again, and tells how far it is.
 * @param signal ends it, on the server too: nothing is logged then.
 * @throws Problem, also one that came when the answer had begun; NoAnswer; the signal's reason.
 */
export async function verifyOnServer(
  clipId: string,
  options: { signal: AbortSignal; onProgress: (progress: VerificationProgress) => void },
): Promise<Verification> {
  const { signal, onProgress } = options;
  try {
    const { response, data, error } = await api.POST("/api/v1/clips/{id}/verify", {
      params: { path: { id: clipId } },
      headers: { accept: "application/x-ndjson" },
      parseAs: "stream",
      signal,
    });
    if (!response.ok) throw new Problem(response.status, error);
    for await (const line of linesOf(data as ReadableStream<Uint8Array<ArrayBuffer>>)) {
      const { progress, result, problem } = JSON.parse(line) as Line;
      if (progress !== undefined) onProgress(progress);
      if (problem !== undefined) throw new Problem(problem.status, problem);
      if (result !== undefined) return result;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Problem) throw error;
    throw new NoAnswer(error);
  }
  throw new NoAnswer("the answer broke off");
}

async function* linesOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
