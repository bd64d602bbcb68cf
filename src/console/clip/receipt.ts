import { NoAnswer, Problem } from "../api/problem.ts";

/**
 * The receipt as text, byte for byte: what is verified must be what came.
 * @throws Problem, also `not-sealed-yet` while there is none; NoAnswer.
 */
export async function fetchReceipt(clipId: string): Promise<string> {
  const answer = await fetch(`/api/v1/clips/${clipId}/receipt`, { cache: "no-store" }).catch((error: unknown) => {
    throw new NoAnswer(error);
  });
  const text = await answer.text();
  if (answer.status === 200) return text;
  throw new Problem(answer.status, documentIn(text));
}

function documentIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // something between us and the server answered
    throw error;
  }
}
