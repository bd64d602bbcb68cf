import { isProblem } from "#kernel";
import type { EvidenceStore, ObjectRef, WormReport } from "../port.ts";
import { reaches } from "../retention.ts";
import { type Attack, probeWorm } from "../worm.ts";
import { isRefused } from "./immutable.ts";

/**
 * The probe of a directory: through dockseal, and past it, as any process of its user could.
 * @param fileOf the file that holds a version.
 */
export function probeFilesystemWorm(store: EvidenceStore, fileOf: (ref: ObjectRef) => string): Promise<WormReport> {
  const removal: Attack = async (canary) => {
    if (!(await fails("object-locked", store.remove(canary)))) return "a locked version could be removed";
    if (await isRefused(fileOf(canary))) return undefined;
    return "dockseal refuses, but its user can remove files here: no immutable flag protects them";
  };
  const overwrite: Attack = async ({ key }) => {
    const request = { key, body: oneByte(), sizeBytes: 1, signal: AbortSignal.timeout(10_000) };
    return (await fails("object-exists", store.put(request))) ? undefined : "a locked version could be overwritten";
  };
  const shortening: Attack = async (canary, until) => {
    const after = await store.lock(canary, new Date(until.getTime() - 20_000));
    return reaches(after, until) ? undefined : "a lock could be shortened";
  };
  const attacks = [
    ["refusedRemoval", removal],
    ["refusedOverwrite", overwrite],
    ["refusedShortening", shortening],
  ] as const;
  const remark = "This is a directory: whoever is root on the machine can clear every flag and remove every file.";
  return probeWorm(store, attacks, remark);
}

/** @throws any other fault: it is not a refusal. */
async function fails(code: "object-locked" | "object-exists", act: Promise<unknown>): Promise<boolean> {
  try {
    await act;
    return false;
  } catch (error) {
    if (isProblem(error, code)) return true;
    throw error;
  }
}

async function* oneByte(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(1);
}
