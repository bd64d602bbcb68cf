import type { ClipRecord } from "#ingest";
import { DocksealError, isProblem } from "#kernel";
import { fits, readBack } from "#seal";
import type { EvidenceStore, ObjectRef } from "#store";
import { type CopyTask, keepCopyTask, putBackCopyTask, takeCopyTask } from "./copy-tasks.ts";
import type { RepairDependencies } from "./dependencies.ts";

/** A store, and its URL for the hash threads. */
export interface CopySide {
  readonly store: EvidenceStore;
  readonly url: string;
}

/**
 * Copies a clip's bytes under the task's key, and believes only what it reads back from there. A copy that an earlier try
 * left under that key is used when it is right and removed when it is not, so that there is never a second.
 * @throws DocksealError `object-missing`, `object-differs`: the source does not have what was sealed; `store-unavailable`.
 */
export async function copyClip(
  clip: ClipRecord,
  from: CopySide & { readonly ref: ObjectRef },
  to: CopySide,
  key: string,
  signal: AbortSignal,
): Promise<ObjectRef> {
  for await (const version of to.store.list(key)) {
    if (version.key !== key) continue;
    const left: ObjectRef = { key, versionId: version.versionId };
    if (await isClip(clip, to.url, left, signal)) return left;
    await to.store.discard(key);
  }
  const { sizeBytes, sha256, mediaType: contentType } = clip;
  const body = await from.store.get(from.ref, { signal });
  const put = await to.store.put({ key, body, sizeBytes, sha256, contentType, signal }).catch((error: unknown) => {
    const other = isProblem(error, "length-differs") || isProblem(error, "digest-differs");
    throw other ? differs(clip, from.store, error) : error;
  });
  const copy: ObjectRef = { key, versionId: put.versionId };
  if (await isClip(clip, to.url, copy, signal)) return copy;
  await to.store.discard(key);
  throw differs(clip, from.store);
}

async function isClip(clip: ClipRecord, url: string, ref: ObjectRef, signal: AbortSignal): Promise<boolean> {
  return fits(await readBack(url, ref, { signal }), clip);
}

function differs(clip: ClipRecord, store: EvidenceStore, cause?: unknown): DocksealError {
  const detail = `${store.location} gives other bytes for clip ${clip.id} than were sealed`;
  return new DocksealError("object-differs", cause === undefined ? { detail } : { detail, cause });
}

/** Locks a copy for as long as its clip is locked, unless that time is over. */
export async function lockLikeClip(store: EvidenceStore, ref: ObjectRef, clip: ClipRecord): Promise<void> {
  const until = clip.retainedUntil === null ? undefined : new Date(clip.retainedUntil);
  if (until !== undefined && until.getTime() > Date.now()) await store.lock(ref, until);
}

/**
 * Runs `work` with the copy of a clip in hand, and says that it lives meanwhile. A fault puts the task back for another try.
 * @returns undefined when another process has the task.
 */
export async function withCopyTask<T>(
  deps: RepairDependencies,
  clipId: string,
  direction: CopyTask["direction"],
  work: (task: CopyTask) => Promise<T>,
): Promise<T | undefined> {
  const { leaseSeconds } = deps.settings;
  const task = await takeCopyTask(deps.db, clipId, direction, leaseSeconds);
  if (task === undefined) return undefined;
  const alive = setInterval(
    () => {
      keepCopyTask(deps.db, task, leaseSeconds).catch((err: unknown) =>
        deps.log.warn({ err }, "a sign of life of a copy could not be given"),
      );
    },
    Math.min(20_000, leaseSeconds * 250),
  );
  try {
    return await work(task);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await putBackCopyTask(deps.db, task, { seconds: leaseSeconds * Math.min(task.attempts, 12), reason });
    throw error;
  } finally {
    clearInterval(alive);
  }
}
