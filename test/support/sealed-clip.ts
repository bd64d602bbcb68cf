import { createHash } from "node:crypto";
import {
  ContentDigests,
  type CustodyLeaf,
  commit,
  cosign,
  createTimestampAuthority,
  encodeLeaf,
  encodeOpening,
  encodeReceipt,
  encodeSealManifest,
  formatTlogProof,
  type ImprintAlgorithm,
  imprintsOf,
  inclusionProof,
  leafHash,
  type NoteSigner,
  noteKeyPair,
  parseCertificate,
  parseNote,
  parseSkey,
  parseTimestampResponse,
  type Receipt,
  rootOf,
  type SealedDetails,
  type SealManifest,
  signCheckpoint,
  TimestampAuthority,
  type TimestampAuthorityKeys,
  timestampRequest,
} from "#evidence";

export const SEALED_AT = new Date("2026-11-22T00:15:00.120Z");
export const CLIP = "0192f1a0-0000-7000-8000-000000000002";
export const FILE = Buffer.from("a short recording\n");

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

/** What a test may make different before anything is signed over it. */
export interface Wish {
  readonly at?: Date;
  readonly manifest?: Partial<SealManifest>;
  readonly leaf?: Partial<CustodyLeaf>;
  readonly details?: (right: SealedDetails) => SealedDetails;
  readonly independent?: boolean;
  /** Of the timestamp authority. */
  readonly keys?: TimestampAuthorityKeys;
  readonly imprint?: ImprintAlgorithm;
  /** Cosigns the checkpoint. */
  readonly witness?: NoteSigner;
}

/** A clip sealed from end to end with fresh keys: its receipt, and what a verifier has from elsewhere. */
export async function sealedClip(wish: Wish = {}) {
  const at = wish.at ?? SEALED_AT;
  const digests = new ContentDigests();
  digests.update(FILE);
  const { chunkRoot, chunkCount, ...facts } = digests.finish();
  const file = { ...facts, chunkRoot };
  const manifest = encodeSealManifest({
    v: 1,
    type: "dockseal/seal-manifest",
    clip: CLIP,
    ...facts,
    chunkTree: { chunkBytes: 4194304, count: chunkCount, root: chunkRoot },
    received: { at: at.toISOString() },
    readBack: { at: at.toISOString() },
    stored: {
      location: "s3://evidence",
      key: "2026/11/22/clip",
      versionId: "version-1",
      retention: { mode: "COMPLIANCE", until: new Date(at.getTime() + 86_400_000 * 180).toISOString() },
    },
    ...wish.manifest,
  });

  const keys = wish.keys ?? createTimestampAuthority({ name: "dockseal test", now: at });
  const authority = new TimestampAuthority(keys, { now: () => at }, (bytes) => Buffer.alloc(bytes, 0xc3));
  const algorithm = wish.imprint ?? "sha256";
  const request = timestampRequest({ imprint: imprintsOf(manifest)[algorithm], algorithm, nonce: 1234567890n });
  const { tokenDer: timestampToken = Buffer.of() } = parseTimestampResponse(await authority.respond(request));

  const independent = wish.independent ?? false;
  const tokenSha256 = sha256(timestampToken).toString("hex");
  const right: SealedDetails = {
    manifestSha256: sha256(manifest).toString("hex"),
    timestamp: { tokenSha256, genTime: at.toISOString(), independent },
  };
  const details = { ...(wish.details?.(right) ?? right) };
  const salt = "5a".repeat(32);
  const entry = encodeLeaf({
    v: 1,
    id: "0192f1a0-0000-7000-8000-000000000001",
    type: "clip.sealed",
    at: at.toISOString(),
    subject: { clip: CLIP },
    commitment: commit(details, salt),
    ...wish.leaf,
  });

  const leaves = ["a", "b", "c", "d"].map((text) => leafHash(Buffer.from(text)));
  leaves.splice(2, 0, leafHash(entry));
  const log = parseSkey(noteKeyPair("log.example/custody", sha256(Buffer.from("log"))).skey);
  const head = { origin: log.name, size: leaves.length, root: rootOf(leaves), extensions: [] };
  const hashes = await inclusionProof(2, leaves.length, async () => Buffer.concat(leaves));
  const signed = signCheckpoint(head, [log]);
  const cosignature =
    wish.witness === undefined ? "" : cosign(parseNote(signed).text, wish.witness, Math.floor(at.getTime() / 1000));
  const checkpoint = signed + cosignature;

  const receipt: Receipt = {
    entry,
    proof: formatTlogProof({ index: 2, hashes, checkpoint }),
    opening: encodeOpening({ details, salt }),
    manifest,
    timestampToken,
    logKey: log.vkey,
    timestampRoots: [parseCertificate(keys.rootPem).der],
    timestampIndependent: independent,
  };
  const trust = { logs: [log.vkey], timestampRoots: [keys.rootPem] };
  return { receipt, text: encodeReceipt(receipt), file, trust, manifest, keys };
}
