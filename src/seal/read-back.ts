import { Worker } from "node:worker_threads";
import { DocksealError, problems } from "#kernel";
import type { ObjectRef } from "#store";
import type { HashMessage, HashOrder, StoredDigests } from "./hash-thread.ts";

/**
 * Reads a stored version whole, in a thread of its own, and hashes it: SHA-256, SM3, RFC 6962 root over 4 MiB chunks.
 * @param onProgress bytes read so far, every two seconds.
 * @throws DocksealError of the store (`store-unavailable`, `object-missing`), or the signal's reason.
 */
export function readBack(
  storeUrl: string,
  ref: ObjectRef,
  options: { signal: AbortSignal; onProgress?: (bytes: number) => void },
): Promise<StoredDigests> {
  options.signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const order: HashOrder = { storeUrl, ref };
    const thread = new Worker(new URL("./hash-thread.ts", import.meta.url), { workerData: order, env: {} });
    const settle = (finish: () => void): void => {
      options.signal.removeEventListener("abort", onAbort);
      thread.removeAllListeners();
      // Errors of a thread that is being ended concern nobody any more, but must not go unhandled.
      thread.on("error", () => undefined);
      void thread.terminate();
      finish();
    };
    const onAbort = (): void => settle(() => reject(options.signal.reason));
    options.signal.addEventListener("abort", onAbort);
    thread.on("message", (message: HashMessage) => {
      if (message.type === "progress") options.onProgress?.(message.bytes);
      else if (message.type === "done") settle(() => resolve(message.digests));
      else settle(() => reject(faultOf(message.code, message.message)));
    });
    thread.on("error", (error) => settle(() => reject(error)));
    thread.on("exit", (code) => settle(() => reject(new Error(`the hash thread ended with code ${code}`))));
  });
}

function faultOf(code: string, detail: string): Error {
  return code in problems
    ? new DocksealError(code as keyof typeof problems, { detail })
    : new Error(`${code}: ${detail}`);
}
