import type { EvidenceStore, WormReport } from "../port.ts";
import { type Attack, probeWorm } from "../worm.ts";
import { isRefusal } from "./answers.ts";
import type { S3Connection } from "./connection.ts";
import { deleteVersion, listVersions, ofKey, writeRetention } from "./control.ts";

/** The probe of an S3 bucket, made with the keys that dockseal itself has. */
export function probeS3Worm(store: EvidenceStore, connection: S3Connection): Promise<WormReport> {
  const removal: Attack = async (canary) => {
    if (!(await isRefused(() => deleteVersion(connection, canary)))) {
      return "a locked version could be removed";
    }
    if (!(await isRefused(() => deleteVersion(connection, canary, { bypassGovernance: true })))) {
      return "a locked version could be removed with the bypass of governance mode";
    }
    return undefined;
  };

  /** With versioning a PUT on the same key is accepted and makes a new version; the locked one must not notice. */
  const overwrite: Attack = async (canary) => {
    await isRefused(() =>
      connection.call((client) =>
        client.makeRequestAsyncOmit(
          { method: "PUT", bucketName: connection.bucket, objectName: canary.key, headers: {} },
          Buffer.from("overwritten"),
        ),
      ),
    );
    const versions = await ofKey(listVersions(connection, canary.key), canary.key);
    for (const version of versions) {
      if (version.versionId !== canary.versionId) await deleteVersion(connection, version);
    }
    const kept = versions.some((version) => version.versionId === canary.versionId);
    return kept ? undefined : "a locked version could be overwritten";
  };

  const shortening: Attack = async (canary, lockedUntil) => {
    const sooner = new Date(lockedUntil.getTime() - 20_000);
    if (!(await isRefused(() => writeRetention(connection, canary, { mode: "COMPLIANCE", until: sooner })))) {
      return "a lock could be shortened";
    }
    if (
      !(await isRefused(() => writeRetention(connection, canary, { mode: "GOVERNANCE", until: lockedUntil }, true)))
    ) {
      return "a lock could be turned from COMPLIANCE into GOVERNANCE";
    }
    return undefined;
  };

  const remark = "Probed with the keys of dockseal: whoever owns the disks of the store can still do anything";
  const attacks = [
    ["refusedRemoval", removal],
    ["refusedOverwrite", overwrite],
    ["refusedShortening", shortening],
  ] as const;
  return probeWorm(store, attacks, `${remark}.`);
}

/** @throws what is not a refusal: a store that is not available has refused nothing. */
async function isRefused(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return false;
  } catch (error) {
    if (isRefusal(error)) return true;
    throw error;
  }
}
