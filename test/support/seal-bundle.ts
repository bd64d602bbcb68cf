import { createHash, generateKeyPairSync } from "node:crypto";
import {
  createTimestampAuthority,
  encodeHashedRekord,
  encodeSealBundle,
  type HashedRekord,
  inclusionProof,
  leafHash,
  logIdOf,
  noteKeyPair,
  parseSkey,
  parseTimestampResponse,
  rootOf,
  type SealBundle,
  sealKeyFacts,
  signCheckpoint,
  signDigest,
  TimestampAuthority,
  timestampRequest,
} from "#evidence";

export const SEALED_AT = new Date("2026-11-22T00:15:00.123Z");
export const ORIGINAL = Buffer.from("a recording\n");

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** What a test may make different before anything is signed over it. */
export interface BundleWish {
  readonly record?: (right: HashedRekord) => HashedRekord;
  /** Bytes of the entry. */
  readonly entry?: (right: Buffer) => Buffer;
}

/** A seal bundle with fresh keys, and what a verifier has from elsewhere. */
export async function sealBundle(wish: BundleWish = {}) {
  const sealKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const { hint, publicPem } = sealKeyFacts(sealKey);
  const digest = sha256(ORIGINAL);
  const signature = signDigest(digest, sealKey);
  const right = { sha256: digest.toString("hex"), signature, publicPem };
  const encoded = encodeHashedRekord(wish.record?.(right) ?? right);
  const entry = wish.entry?.(encoded) ?? encoded;

  const keys = createTimestampAuthority({ name: "dockseal test", now: SEALED_AT });
  const authority = new TimestampAuthority(keys, { now: () => SEALED_AT }, (bytes) => Buffer.alloc(bytes, 0xc3));
  const request = timestampRequest({ imprint: sha256(signature), nonce: 1234567890n });
  const { tokenDer: timestampToken = Buffer.of() } = parseTimestampResponse(await authority.respond(request));

  const leaves = ["a", "b", "c", "d"].map((text) => leafHash(Buffer.from(text)));
  leaves.splice(2, 0, leafHash(entry));
  const log = parseSkey(noteKeyPair("log.example/custody", sha256(Buffer.from("log"))).skey);
  const root = rootOf(leaves);
  const bundle: SealBundle = {
    sha256: digest,
    signature,
    keyHint: hint,
    timestampToken,
    entry,
    logId: logIdOf(log.vkey),
    index: 2,
    treeSize: leaves.length,
    root,
    hashes: await inclusionProof(2, leaves.length, async () => Buffer.concat(leaves)),
    checkpoint: signCheckpoint({ origin: log.name, size: leaves.length, root, extensions: [] }, [log]),
  };
  const trust = { logs: [log.vkey], timestampRoots: [keys.rootPem], sealKeys: [publicPem] };
  return { bundle, text: encodeSealBundle(bundle), trust, publicPem, sealKey, keys };
}
