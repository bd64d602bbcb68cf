import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { DocksealError, problems } from "#kernel";
import type { ObjectRef } from "#store";
import type { HashMessage, HashRequest, HashThreadData, StoredDigests } from "./hash-thread.ts";

/**
 * Reads a stored version whole, in a thread of its own, and hashes it: SHA-256, SM3, RFC 6962 root over 4 MiB chunks.
 * @param onProgress bytes read so far, every two seconds, or every `progressMs`.
 * @param bytesPerSecond reads no faster than that, for readers who have time.
 * @throws DocksealError of the store (`store-unavailable`, `object-missing`), or the signal's reason.
 */
export function readBack(
  storeUrl: string,
  ref: ObjectRef,
  options: { signal: AbortSignal; onProgress?: (bytes: number) => void; progressMs?: number; bytesPerSecond?: number },
): Promise<StoredDigests> {
  options.signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const thread = takeThread(storeUrl);
    const settle = (fate: (storeUrl: string, thread: Worker) => void, finish: () => void): void => {
      options.signal.removeEventListener("abort", onAbort);
      forget(thread);
      fate(storeUrl, thread);
      finish();
    };
    const onAbort = (): void => settle(endThread, () => reject(options.signal.reason));
    options.signal.addEventListener("abort", onAbort);
    thread.on("message", (message: HashMessage) => {
      if (message.type === "progress") options.onProgress?.(message.bytes);
      else if (message.type === "done") settle(keepThread, () => resolve(message.digests));
      else {
        // Nothing there is an answer like any other; after another fault the thread's store may be in any state.
        const fate = message.code === "object-missing" ? keepThread : endThread;
        settle(fate, () => reject(faultOf(message.code, message.message)));
      }
    });
    thread.on("error", (error) => settle(endThread, () => reject(error)));
    thread.on("exit", (code) => settle(endThread, () => reject(new Error(`the hash thread ended with code ${code}`))));
    const { bytesPerSecond, progressMs = 2000 } = options;
    thread.postMessage({ ref, bytesPerSecond, progressMs } satisfies HashRequest);
  });
}

/** Beside this one, built or as the source. */
const threadScript = new URL(`./hash-thread${extname(import.meta.url)}`, import.meta.url);

/*
 * To start a thread takes about 0.4 s of processor time, more than to hash 100 MB: the last ones wait a while for the
 * next clip. They keep no process alive.
 */
const mostSpare = 2;
const spareMs = 60_000;
const spare: { readonly storeUrl: string; readonly thread: Worker; readonly timer: NodeJS.Timeout }[] = [];

function takeThread(storeUrl: string): Worker {
  const at = spare.findLastIndex((waiting) => waiting.storeUrl === storeUrl);
  const [found] = at < 0 ? [] : spare.splice(at, 1);
  if (found === undefined) {
    const workerData: HashThreadData = { storeUrl };
    return new Worker(threadScript, { workerData, env: {} });
  }
  clearTimeout(found.timer);
  forget(found.thread);
  found.thread.ref();
  return found.thread;
}

function keepThread(storeUrl: string, thread: Worker): void {
  if (spare.length >= mostSpare) {
    endThread(storeUrl, thread);
    return;
  }
  const drop = (): void => {
    const at = spare.findIndex((waiting) => waiting.thread === thread);
    const [dropped] = at < 0 ? [] : spare.splice(at, 1);
    clearTimeout(dropped?.timer);
    endThread(storeUrl, thread);
  };
  thread.once("error", drop).once("exit", drop);
  thread.unref();
  spare.push({ storeUrl, thread, timer: setTimeout(drop, spareMs).unref() });
}

/** By name: a worker of Node listens to itself as well. */
function forget(thread: Worker): void {
  for (const event of ["message", "error", "exit"]) thread.removeAllListeners(event);
}

function endThread(_storeUrl: string, thread: Worker): void {
  forget(thread);
  // Errors of a thread that is being ended concern nobody any more, but must not go unhandled.
  thread.on("error", () => undefined);
  void thread.terminate();
}

function faultOf(code: string, detail: string): Error {
  return code in problems
    ? new DocksealError(code as keyof typeof problems, { detail })
    : new Error(`${code}: ${detail}`);
}
