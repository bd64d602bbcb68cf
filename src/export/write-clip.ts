import type { Database } from "#db";
import { DocksealError, isProblem } from "#kernel";
import { receiptOfClip, sealBundleOfClip } from "#seal";
import type { EvidenceStore, ObjectRef } from "#store";
import { type BagWriter, jsonFile } from "./bag/bag-writer.ts";
import { derivativePath, originalPath, receiptPath, sealBundlePath } from "./bag/layout.ts";
import type { DossierClip } from "./dossier.ts";
import type { ProgressCount } from "./export-progress.ts";

export interface ClipWriting {
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly writer: BagWriter;
  readonly progress: ProgressCount;
  readonly signal: AbortSignal;
}

/**
 * Writes everything of one clip: its original and copies, streamed from the store once and compared on the way with what
 * was sealed; receipt and seal bundle.
 * @throws DocksealError `object-differs` or `object-missing`, with the clip in `extra.clipId`; `log-behind`.
 */
export async function writeClip(work: ClipWriting, clip: DossierClip): Promise<void> {
  const { db, writer } = work;
  const { record, seal, derivatives } = clip;
  const { id } = record;
  const { sizeBytes, sha256, sm3 } = seal.manifest;
  const original = { key: record.objectKey, versionId: record.versionId };
  await copyStored(work, original, { clipId: id, path: originalPath(clip), sizeBytes, sha256, sm3 });
  const facts: unknown[] = [];
  for (const derivative of derivatives) {
    const { objectKey: key, versionId, ...rest } = derivative;
    const path = derivativePath(id, derivative);
    const copy = { clipId: id, path, sizeBytes: rest.sizeBytes, sha256: rest.sha256, sm3: undefined };
    await copyStored(work, { key, versionId }, copy);
    facts.push({ file: path.split("/").at(-1), ...rest });
  }
  if (facts.length > 0) await writer.payloadBytes(`data/playable/${id}/derivatives.json`, jsonFile(facts));
  const receipt = await receiptOfClip(db, id);
  if (receipt === undefined) throw new DocksealError("log-behind", { detail: `clip ${id} has no receipt yet` });
  await writer.payloadBytes(receiptPath(id), Buffer.from(receipt.text));
  if (!clip.published) return;
  const bundle = await sealBundleOfClip(db, id);
  if (bundle === undefined) throw new DocksealError("log-behind", { detail: `clip ${id} has no seal bundle yet` });
  await writer.payloadBytes(sealBundlePath(id), Buffer.from(bundle));
}

interface Expected {
  readonly clipId: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Undefined where none was taken. */
  readonly sm3: string | undefined;
}

/** Copies one stored version into the bag, and makes sure that it is what it was. */
async function copyStored(work: ClipWriting, ref: ObjectRef, expected: Expected): Promise<void> {
  const { store, writer, progress, signal } = work;
  const { clipId, path, sizeBytes } = expected;
  const differs = (cause?: unknown): DocksealError =>
    new DocksealError("object-differs", {
      detail: `${path} is not what it was: what is stored of clip ${clipId} differs`,
      extra: { clipId },
      cause,
    });
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of await store.get(ref, { signal })) {
      progress.add(0, (chunk as Uint8Array).byteLength);
      yield chunk as Uint8Array;
    }
  }
  try {
    const found = await writer.payload({ path, sizeBytes, body: counted() });
    if (found.sha256 !== expected.sha256 || found.sm3 !== (expected.sm3 ?? found.sm3)) throw differs();
  } catch (error) {
    if (isProblem(error, "length-differs")) throw differs(error);
    if (!isProblem(error, "object-missing")) throw error;
    const detail = `${path} is missing: the store has lost it (clip ${clipId})`;
    throw new DocksealError("object-missing", { detail, extra: { clipId }, cause: error });
  }
  progress.add(1, 0);
}
