import { keysOfLog, type ProvingCheckpoint } from "#custody";
import type { Database } from "#db";
import type { ExportSigner } from "#evidence";
import { sealKeys, type TimestampSource, trustedRoot } from "#seal";
import { type BagWriter, jsonFile } from "./bag/bag-writer.ts";
import type { Dossier } from "./dossier.ts";

/**
 * Keys and certificates for those who have none from elsewhere, as files for openssl and other programs, and the trust
 * file that names them. They came with the bag: docs/export.md says what that is worth.
 */
export async function writeKeys(
  { db, timestamps, signer }: { db: Database; timestamps: TimestampSource; signer: ExportSigner },
  dossier: Dossier,
  { witnessed }: ProvingCheckpoint,
  writer: BagWriter,
): Promise<{ logKeys: number }> {
  const logs = (await keysOfLog(db)).map(({ vkey }) => vkey);
  const roots = new Set([...dossier.clips.flatMap(({ seal }) => seal.timestampRoots), ...timestamps.roots]);
  const timestampRoots = [...roots].map(asLines);
  const seals = (await sealKeys(db)).map(asLines);
  const exportRoots = [asLines(signer.rootPem)];
  await writer.tag("keys/log.vkey", logs.map((vkey) => `${vkey}\n`).join(""));
  await writer.tag("keys/timestamp-roots.pem", timestampRoots.join(""));
  await writer.tag("keys/export-root.pem", exportRoots.join(""));
  if (witnessed !== undefined) {
    await writer.tag("keys/witnesses.vkeys", witnessed.vkeys.map((vkey) => `${vkey}\n`).join(""));
  }
  if (seals.length > 0) {
    await writer.tag("keys/seal-key.pem", seals.join(""));
    await writer.tag("keys/trusted_root.json", await trustedRoot(db));
  }
  const trust = {
    type: "dockseal/trust@v1",
    logs,
    timestampRoots,
    ...(witnessed === undefined ? {} : { witnesses: { threshold: witnessed.threshold, keys: witnessed.vkeys } }),
    ...(seals.length === 0 ? {} : { sealKeys: seals }),
    exportRoots,
  };
  await writer.tag("keys/trust.json", jsonFile(trust));
  return { logKeys: logs.length };
}

function asLines(pem: string): string {
  return `${pem.trim()}\n`;
}
