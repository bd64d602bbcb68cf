import { createHash } from "node:crypto";
import { appendPublishedSeal } from "#custody";
import type { Database, Tx } from "#db";
import { certificatePem, imprintsOf, timestampChain } from "#evidence";
import type { SystemActor } from "#identity";
import { type ClipRecord, clipRecord, kindOf, magicBytes } from "#ingest";
import type { EvidenceStore } from "#store";
import type { SealKey } from "./signing-keys.ts";
import type { Timestamped, TimestampSource } from "./timestamp-source.ts";

export interface PublishDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly timestamps: TimestampSource;
  readonly sealKey: SealKey;
}

/**
 * Below so many bytes no digest is published. What a sensor records has thousands of bits of noise in every KiB of it;
 * a record of a few facts, packed into whatever format, may have so few unknown ones that all can be tried.
 */
export const smallestPublishedBytes = 65_536;

/** An original's signature and the time of it, ready for the transaction that seals. */
export interface SignedOriginal {
  readonly sha256: string;
  readonly signature: Buffer;
  readonly key: SealKey;
  readonly timestamped: Timestamped;
  /** PEM, the authority's certificate first, its root last. */
  readonly chain: readonly string[];
}

/**
 * Signs an original that may be published, and takes a timestamp over the signature.
 * @returns undefined when the clip gets none, see {@link mayBePublished}.
 */
export async function signOriginal(
  { db, store, timestamps, sealKey: key }: PublishDependencies,
  clipId: string,
  signal: AbortSignal,
): Promise<SignedOriginal | undefined> {
  const clip = await clipRecord(db, clipId);
  if (!(await mayBePublished(store, clip, signal))) return undefined;
  const signature = key.sign(Buffer.from(clip.sha256, "hex"));
  const timestamped = await readableTimestamp(timestamps, signature, signal);
  const chain = timestampChain(timestamped.tokenDer, timestamped.roots).map(({ der }) => certificatePem(der));
  return { sha256: clip.sha256, signature, key, timestamped, chain };
}

/**
 * Sigstore's readers know times with three digits of a second's fraction or none, and DER forbids zeros at its end
 * (X.690 §11.7): about every tenth token would be none to them, and is asked for again.
 */
async function readableTimestamp(source: TimestampSource, data: Buffer, signal: AbortSignal): Promise<Timestamped> {
  const { sha256 } = imprintsOf(data); // they know no SM3 either
  let timestamped = await source.stamp({ sha256 }, signal);
  for (let tries = 1; tries < 5 && shortFraction(timestamped.genTime); tries += 1) {
    timestamped = await source.stamp({ sha256 }, signal);
  }
  return timestamped;
}

function shortFraction(time: Date): boolean {
  const milliseconds = time.getUTCMilliseconds();
  return milliseconds !== 0 && milliseconds % 10 === 0;
}

/**
 * A digest in the public log lets everybody test a guess. So none stands there of what may have few possible contents:
 * text, whether the station calls it so or its first bytes are, and whatever is short.
 */
async function mayBePublished(store: EvidenceStore, clip: ClipRecord, signal: AbortSignal): Promise<boolean> {
  if (clip.sizeBytes < smallestPublishedBytes) return false;
  if ((clip.metadata as { kind?: string }).kind === "text") return false;
  const ref = { key: clip.objectKey, versionId: clip.versionId };
  const chunks: Uint8Array[] = [];
  for await (const chunk of await store.get(ref, { range: { start: 0, end: magicBytes - 1 }, signal })) {
    chunks.push(chunk as Uint8Array);
  }
  return (await kindOf(Buffer.concat(chunks), clip.fileName)).kind !== "text";
}

/** Keeps the signature and publishes it in the log, in the transaction that seals the clip. */
export async function publishSeal(tx: Tx, clipId: string, signed: SignedOriginal, actor: SystemActor): Promise<void> {
  const { sha256, signature, key, timestamped, chain } = signed;
  const { hint, publicPem } = key;
  const chainId = createHash("sha256").update(chain.join("")).digest("hex");
  // Rows that are the same for all clips: somebody else may write them just now.
  await tx
    .insertInto("sealKey")
    .values({ hint, publicPem })
    .onConflict((same) => same.doNothing())
    .execute();
  await tx
    .insertInto("timestampChain")
    .values({ id: chainId, certificates: [...chain] })
    .onConflict((same) => same.doNothing())
    .execute();
  const record = { sha256, signature, publicPem };
  const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  const details = {
    ...{ sha256, signatureSha256: digestOf(signature), sealKey: hint },
    tokenSha256: digestOf(timestamped.tokenDer),
  };
  const eventId = await appendPublishedSeal(tx, { clipId, actor, record, details });
  await tx
    .insertInto("sealBundle")
    .values({
      clipId,
      signature,
      keyHint: hint,
      token: timestamped.tokenDer,
      generatedAt: timestamped.genTime.toISOString(),
      chainId,
      eventId,
    })
    .executeTakeFirstOrThrow();
}
