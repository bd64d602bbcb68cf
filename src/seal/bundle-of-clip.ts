import { eventProof, keysOfLog } from "#custody";
import type { Database } from "#db";
import {
  encodeSealBundle,
  encodeTrustedRoot,
  logIdOf,
  parseCertificate,
  parseCheckpoint,
  parseHashedRekord,
  parseNote,
  parseTlogProof,
} from "#evidence";

/** Has the original's signature been published? What was, stays so. */
export async function hasSealBundle(db: Database, clipId: string): Promise<boolean> {
  const row = await db.selectFrom("sealBundle").select("clipId").where("clipId", "=", clipId).executeTakeFirst();
  return row !== undefined;
}

/**
 * The seal bundle of a clip (Sigstore bundle v0.3, JSON text). The same text on every call, but for the one
 * change when its checkpoint is witnessed.
 * @returns undefined when the clip has none, and until a checkpoint covers its entry.
 */
export async function sealBundleOfClip(db: Database, clipId: string): Promise<string | undefined> {
  const seal = await db
    .selectFrom("sealBundle")
    .select(["signature", "keyHint", "token", "eventId"])
    .where("clipId", "=", clipId)
    .executeTakeFirst();
  if (seal === undefined) return undefined;
  const proven = await eventProof(db, seal.eventId);
  if (proven === undefined) return undefined;
  const { index, hashes, checkpoint } = parseTlogProof(proven.proof);
  const { size, root } = parseCheckpoint(parseNote(checkpoint).text);
  return encodeSealBundle({
    sha256: Buffer.from(parseHashedRekord(proven.leaf).sha256, "hex"),
    signature: seal.signature,
    keyHint: seal.keyHint,
    timestampToken: seal.token,
    entry: proven.leaf,
    logId: logIdOf(proven.vkey),
    index,
    treeSize: size,
    root,
    hashes,
    checkpoint,
  });
}

/**
 * What Sigstore's tools need to check seal bundles, beside the seal key: `trusted_root.json`. It names every key that
 * ever signed the log, and those timestamp authorities that have timestamped a seal here.
 */
export async function trustedRoot(db: Database): Promise<string> {
  const keys = await keysOfLog(db);
  const chains = await db.selectFrom("timestampChain").select("certificates").orderBy("firstSeenAt").execute();
  return encodeTrustedRoot({
    logs: keys.map(({ vkey, retiredAt }) => ({ vkey, ...(retiredAt === null ? {} : { until: new Date(retiredAt) }) })),
    timestampChains: chains.map(({ certificates }) => certificates.map(parseCertificate)),
  });
}

/** Public keys that have sealed something, newest first, PEM. */
export async function sealKeys(db: Database): Promise<string[]> {
  const keys = await db.selectFrom("sealKey").select("publicPem").orderBy("firstUsedAt", "desc").execute();
  return keys.map(({ publicPem }) => publicPem);
}
