import { pause } from "#kernel";

/**
 * Asks until the answer is something else than undefined or false.
 * @throws Error naming what was waited for, and the last failure of the question, when it did not come about.
 */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  { seconds = 180, everyMs = 50 }: { seconds?: number; everyMs?: number } = {},
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      cause = undefined;
    } catch (error) {
      cause = error; // what is asked may be away for a while: that is what these tests do to it
    }
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`, { cause });
    await pause(everyMs);
  }
}
