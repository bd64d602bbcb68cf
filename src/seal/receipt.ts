import { sql } from "kysely";
import { eventProof } from "#custody";
import type { Database, Tx } from "#db";
import { encodeReceipt, parseCertificate } from "#evidence";
import { timestampRenewals } from "./timestamp-renewal.ts";

/**
 * The receipt of a clip: entry, proof, what is stored where until when, timestamp. The same text on every call, but for
 * the one change when its checkpoint is witnessed, and one more each time that its timestamp is renewed.
 * @returns undefined until the clip is sealed and a checkpoint covers the sealing.
 */
export async function receiptOfClip(
  db: Database,
  clipId: string,
): Promise<{ text: string; witnessed: boolean } | undefined> {
  const seal = await db
    .selectFrom("sealTimestamp")
    .innerJoin("sealManifest", "sealManifest.clipId", "sealTimestamp.clipId")
    .select(["manifest", "token", "independent", "roots", "eventId"])
    .where("sealTimestamp.clipId", "=", clipId)
    .executeTakeFirst();
  if (seal === undefined) return undefined;
  const proof = await eventProof(db, seal.eventId);
  if (proof?.opening === undefined) return undefined;
  const renewals = await timestampRenewals(db, clipId);
  const roots = new Set([seal, ...renewals].flatMap((each) => each.roots));
  const text = encodeReceipt({
    entry: proof.leaf,
    proof: proof.proof,
    opening: proof.opening,
    manifest: seal.manifest,
    timestampToken: seal.token,
    logKey: proof.vkey,
    timestampRoots: [...roots].map((pem) => parseCertificate(pem).der),
    timestampIndependent: seal.independent,
    ...(renewals.length === 0 ? {} : { timestampRenewals: renewals.map(({ token }) => token) }),
  });
  return { text, witnessed: proof.witnessed };
}

/**
 * Which of these clips have a receipt now: those for which {@link receiptOfClip} gives one, without those in
 * quarantine, for which none is given out. The rule of one question for many clips.
 */
export async function clipsWithReceipt(db: Database | Tx, clipIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    SELECT clip.id FROM clip
    JOIN seal_manifest ON seal_manifest.clip_id = clip.id
    JOIN seal_timestamp ON seal_timestamp.clip_id = clip.id
    JOIN log_entry ON log_entry.event_id = seal_timestamp.event_id
    WHERE clip.id = ANY (${[...clipIds]}::uuid[]) AND clip.state <> 'quarantined'
      AND log_entry.index < (SELECT max(size) FROM log_checkpoint)`.execute(db);
  return new Set(rows.map(({ id }) => id));
}
