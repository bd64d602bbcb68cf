import { setTimeout as sleep } from "node:timers/promises";

/** Waits, or stops waiting when the signal aborts; then it resolves too. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}
