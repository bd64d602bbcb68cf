import { abandonIntent, beginIntent, type Database, inTransaction, speakingDatabase } from "#db";
import { knownRecorder, type StationActor } from "#identity";
import { DocksealError, newId } from "#kernel";
import type { ClipMetadata } from "#metadata";
import type { EvidenceStore } from "#store";
import type { IngestDependencies } from "../receive.ts";
import {
  addUpload,
  expiredUploads,
  forgetUploads,
  markGone,
  partsOf,
  promisedBytes,
  setWriteId,
  type UploadRow,
} from "./rows.ts";

/**
 * Begins a resumable upload: its row and the intent of its key first, so that nothing in the store is ever unknown,
 * then the write in the store. The upload's id becomes the clip's.
 * @param declared length of the file in bytes and what the station says about it.
 * @returns the id.
 * @throws DocksealError `empty-file`, `file-too-large`, `length-differs`, `other-organization`, `store-full`; faults of
 *   the store.
 */
export async function beginUpload(
  deps: IngestDependencies,
  station: StationActor,
  declared: { sizeBytes: number; metadata: ClipMetadata },
  id: string = newId(),
): Promise<string> {
  const { db, store, limits } = deps;
  const { sizeBytes, metadata } = declared;
  if (sizeBytes === 0) throw new DocksealError("empty-file");
  if (sizeBytes > limits.maxBytes) {
    throw new DocksealError("file-too-large", { detail: `more than ${limits.maxBytes} bytes` });
  }
  if (metadata.sizeBytes !== undefined && metadata.sizeBytes !== sizeBytes) {
    throw new DocksealError("length-differs", {
      detail: `metadata.sizeBytes is ${metadata.sizeBytes}, Upload-Length is ${sizeBytes}`,
    });
  }
  const objectKey = `originals/${id.slice(0, 8)}/${id}`;
  await speakingDatabase(() => knownRecorder(db, station, metadata.recorderSerial));
  await inTransaction(db, async (tx) => {
    await beginIntent(tx, objectKey, "upload");
    await addUpload(tx, { id, station, metadata, objectKey, sizeBytes }, limits.resumableSeconds);
  });
  try {
    // The row is there already, so that others who look for space from now on count this upload.
    const others = () => speakingDatabase(() => promisedBytes(db, id));
    const writeId = await store.resumable.begin(objectKey, { sizeBytes, promisedBytes: others });
    await speakingDatabase(() => setWriteId(db, id, writeId));
  } catch (error) {
    await endUpload(deps, id, objectKey).catch((cleanUpError: unknown) => deps.onCleanUpError(cleanUpError, objectKey));
    throw error;
  }
  return id;
}

/**
 * Asks the store whether it still holds what the database has acknowledged. Where it does not, the upload is over: it
 * may have been purged, or written to by somebody else, and an offset that cannot be kept must not be told.
 * @throws DocksealError `upload-gone`; faults of the store.
 */
export async function checkHeld(deps: IngestDependencies, upload: UploadRow): Promise<void> {
  const parts = await speakingDatabase(() => partsOf(deps.db, upload.id));
  if (await deps.store.resumable.holds(upload.write, parts)) return;
  await endUpload(deps, upload.id, upload.write.key);
  throw new DocksealError("upload-gone", { detail: "the store does not hold the parts of this upload any more" });
}

/**
 * Ends an upload of which no clip shall come: from here on nobody writes it and no clip comes of it. What it left in the
 * store is removed now as far as the store answers; the sweeper looks again, since a write may still be under way.
 * @param fence only while this holder has the lease.
 */
export async function endUpload(
  deps: Pick<IngestDependencies, "db" | "store" | "limits" | "onCleanUpError">,
  id: string,
  objectKey: string,
  fence?: number,
): Promise<void> {
  const { db, store, limits } = deps;
  const ended = await inTransaction(db, async (tx) => {
    const ended = await markGone(tx, id, limits.resumableSeconds, fence);
    if (ended) await abandonIntent(tx, objectKey);
    return ended;
  });
  if (!ended) return;
  await store.discard(objectKey).catch((error: unknown) => deps.onCleanUpError(error, objectKey));
}

/**
 * Ends uploads that nobody continued in time, and forgets those that were over long ago.
 * @param keepSeconds for so long an ended upload is answered with `410` before it is unknown.
 * @returns how many were ended.
 */
export async function sweepUploads(db: Database, store: EvidenceStore, keepSeconds: number): Promise<number> {
  let ended = 0;
  for (const { id, objectKey } of await expiredUploads(db, 100)) {
    const taken = await inTransaction(db, async (tx) => {
      const taken = await markGone(tx, id, keepSeconds);
      if (taken) await abandonIntent(tx, objectKey);
      return taken;
    });
    if (!taken) continue;
    ended++;
    await store.discard(objectKey);
  }
  await forgetUploads(db);
  return ended;
}
