import { parentPort, workerData } from "node:worker_threads";
import { ContentDigests } from "#evidence";
import { pause } from "#kernel";
import { type EvidenceStore, type ObjectRef, openStore } from "#store";

/** What the thread is started with. It gets {@link HashRequest}s then, the next one when it is done with the last. */
export interface HashThreadData {
  readonly storeUrl: string;
}

export interface HashRequest {
  readonly ref: ObjectRef;
  /** Reads no faster than that; undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
  /** Milliseconds between two words of progress. */
  readonly progressMs: number;
}

/** What it posts for each: progress now and then, at the end the figures or the fault. */
export type HashMessage =
  | { readonly type: "progress"; readonly bytes: number }
  | { readonly type: "done"; readonly digests: StoredDigests }
  | { readonly type: "failed"; readonly code: string; readonly message: string };

export type StoredDigests = ReturnType<ContentDigests["finish"]>;

// The entry of a worker thread: reading back and hashing happen here, so that no event loop that renews locks or
// answers requests ever waits for a digest.
let store: EvidenceStore | undefined;

async function readAndHash({ ref, bytesPerSecond, progressMs }: HashRequest): Promise<StoredDigests> {
  store ??= await openStore((workerData as HashThreadData).storeUrl);
  const digests = new ContentDigests();
  const begun = performance.now();
  let bytes = 0;
  let told = 0;
  for await (const chunk of await store.get(ref)) {
    digests.update(chunk as Uint8Array);
    bytes += (chunk as Uint8Array).length;
    if (Date.now() - told > progressMs) {
      told = Date.now();
      parentPort?.postMessage({ type: "progress", bytes } satisfies HashMessage);
    }
    if (bytesPerSecond !== undefined) {
      const early = (bytes / bytesPerSecond) * 1000 - (performance.now() - begun);
      if (early > 10) await pause(early);
    }
  }
  return digests.finish();
}

parentPort?.on("message", (request: HashRequest) => {
  readAndHash(request).then(
    (digests) => parentPort?.postMessage({ type: "done", digests } satisfies HashMessage),
    (error: unknown) => {
      const code = error instanceof Error && "code" in error ? String(error.code) : "internal";
      const message = error instanceof Error ? error.message : String(error);
      parentPort?.postMessage({ type: "failed", code, message } satisfies HashMessage);
    },
  );
});
