import { createHash } from "node:crypto";
import { abandonIntent, inTransaction, speakingDatabase } from "#db";
import type { StationActor } from "#identity";
import { DocksealError, isProblem } from "#kernel";
import type { EvidenceStore, ObjectRef, PutResult } from "#store";
import { Digests, type Figures } from "../digests.ts";
import { type IngestDependencies, makeClip, type Received, refuseDifference } from "../receive.ts";
import { LeaseKeeper } from "./lease.ts";
import { type MappedPart, markComplete, partsOf, takeLease, type UploadRow, uploadOf } from "./rows.ts";
import { runningDigests } from "./running-digests.ts";
import { Turns } from "./turns.ts";
import { endUpload } from "./uploads.ts";

/** Read back at once in one process. */
const readBacks = new Turns(2);

export interface Completion {
  readonly station: StationActor;
  readonly traceId: string;
  /** The server stops: the work is left where it is, and goes on with the next request. */
  readonly signal: AbortSignal;
}

/**
 * Makes an upload of which every byte has arrived a clip: the store makes the object of the parts, its digest is
 * compared, and the clip is committed. The digest was made as the bytes went by; where they did not all go through this
 * process the object is read back. May die anywhere; each step finds what an earlier try has done, and until the last
 * one the upload is not told to be whole.
 * @returns the clip; of an upload that was completed earlier, the clip from then.
 * @throws DocksealError `upload-incomplete`, `upload-locked`, `upload-gone`, `digest-differs` and `length-differs` (then
 *   the upload is over and nothing of it is kept); faults of the store and the database.
 */
export async function completeUpload(
  deps: IngestDependencies,
  upload: UploadRow,
  { station, traceId, signal }: Completion,
): Promise<Received> {
  const { db, store } = deps;
  const { id, metadata, write, sizeBytes } = upload;
  if (upload.outcome !== undefined) return upload.outcome;
  if (upload.offsetBytes !== sizeBytes) {
    throw new DocksealError("upload-incomplete", {
      detail: `${upload.offsetBytes} of ${sizeBytes} bytes have arrived`,
    });
  }
  const held = await speakingDatabase(() => takeLease(db, id)).catch(async (error: unknown) => {
    // Another request may have completed it between our reading of the row and now.
    const now = await speakingDatabase(() => uploadOf(db, station, id));
    if (now.outcome !== undefined) return now.outcome;
    throw error;
  });
  if ("clipId" in held) return held;
  const keeper = new LeaseKeeper(db, held.lease, deps.limits.resumableSeconds, (error) =>
    deps.onCleanUpError(error, write.key),
  );
  const received = await keeper.during(async () => {
    try {
      const stop = AbortSignal.any([signal, keeper.lost]);
      const parts = await speakingDatabase(() => partsOf(db, id));
      const stored = await store.resumable.complete(write, parts, sizeBytes, stop);
      const sm3 = metadata.digest?.sm3 !== undefined;
      const arrived =
        runningDigests.finish(id, sizeBytes) ??
        (await readBacks.take(stop, () => readBack(store, stored, parts, { sm3, signal: stop })));
      refuseDifference(metadata, metadata.digest?.sha256, arrived, stored);
      return await inTransaction(db, async (tx) => {
        const received = await makeClip(tx, { upload: { station, metadata, traceId }, clipId: id, arrived, stored });
        await markComplete(tx, held.lease, received, deps.limits.resumableSeconds);
        if (!received.created) await abandonIntent(tx, write.key);
        return received;
      });
    } catch (error) {
      // Final: sending it again under this upload would not change it. Everything else is tried again by who asks next.
      const final = ["upload-gone", "digest-differs", "length-differs", "object-exists", "other-organization"] as const;
      if (final.some((code) => isProblem(error, code))) await endUpload(deps, id, write.key, held.lease.fence);
      throw error;
    } finally {
      await keeper.end().catch((error: unknown) => deps.onCleanUpError(error, write.key));
    }
  });
  if (!received.created) {
    await store.discard(write.key).catch((error: unknown) => deps.onCleanUpError(error, write.key));
  }
  return received;
}

/** Reads the object that the store made of the parts: every part must be what was acknowledged. */
async function readBack(
  store: EvidenceStore,
  stored: PutResult & ObjectRef,
  parts: readonly MappedPart[],
  options: { sm3: boolean; signal: AbortSignal },
): Promise<Figures> {
  const whole = new Digests(options);
  let at = 0;
  let part = createHash("sha256");
  let left = parts[0]?.sizeBytes ?? 0;
  for await (const chunk of (await store.get(stored, { signal: options.signal })) as AsyncIterable<Buffer>) {
    whole.update(chunk);
    let rest = chunk;
    while (rest.length > 0) {
      if (at >= parts.length) throw differs(`bytes after part ${parts.length}`);
      const taken = rest.subarray(0, left);
      part.update(taken);
      left -= taken.length;
      rest = rest.subarray(taken.length);
      if (left > 0) break;
      if (part.digest("hex") !== parts[at]?.sha256) throw differs(`part ${parts[at]?.number}`);
      part = createHash("sha256");
      left = parts[++at]?.sizeBytes ?? 0;
    }
  }
  if (at < parts.length) throw differs(`part ${parts[at]?.number}`);
  return whole.finish();
}

function differs(what: string): DocksealError {
  return new DocksealError("upload-gone", { detail: `the store does not hold what was sent: ${what} differs` });
}
