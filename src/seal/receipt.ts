import { eventProof } from "#custody";
import type { Database } from "#db";
import { encodeReceipt, parseCertificate } from "#evidence";

/**
 * The receipt of a clip: entry, proof, what is stored where until when, timestamp. The same text on every call.
 * @param vkey the log's verifier key, put in for information.
 * @returns undefined until the clip is sealed and a checkpoint covers the sealing.
 */
export async function receiptOfClip(db: Database, clipId: string, vkey: string): Promise<string | undefined> {
  const seal = await db
    .selectFrom("sealTimestamp")
    .innerJoin("sealManifest", "sealManifest.clipId", "sealTimestamp.clipId")
    .select(["manifest", "token", "independent", "roots", "eventId"])
    .where("sealTimestamp.clipId", "=", clipId)
    .executeTakeFirst();
  if (seal === undefined) return undefined;
  const proof = await eventProof(db, seal.eventId);
  if (proof === undefined) return undefined;
  return encodeReceipt({
    entry: proof.leaf,
    proof: proof.proof,
    opening: proof.opening,
    manifest: seal.manifest,
    timestampToken: seal.token,
    logKey: vkey,
    timestampRoots: seal.roots.map((pem) => parseCertificate(pem).der),
    timestampIndependent: seal.independent,
  });
}
