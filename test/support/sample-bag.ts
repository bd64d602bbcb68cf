import { createHash, generateKeyPairSync } from "node:crypto";
import {
  ContentDigests,
  commit,
  cosign,
  createExportSigner,
  encodeHashedRekord,
  encodeLeaf,
  encodeOpening,
  encodeSealBundle,
  formatTlogProof,
  inclusionProof,
  leafHash,
  logIdOf,
  noteKeyPair,
  parseSkey,
  parseTimestampResponse,
  rootOf,
  sealKeyFacts,
  signCheckpoint,
  signDetached,
  signDigest,
  TimestampAuthority,
  timestampRequest,
} from "#evidence";
import type { Json } from "#kernel";
import type { BagReader, Trust } from "#verify";
import { CLIP, FILE, SEALED_AT, sealedClip } from "./sealed-clip.ts";

// A whole exported bag in memory, with fresh keys: an original with receipt and seal bundle, a case with two revisions of
// a binding, and the custody events that say so.

export const CASE = "0192f1a0-0000-7000-8000-00000000000c";
const OTHER_CASE = "0192f1a0-0000-7000-8000-00000000000d";
const BINDING = "0192f1a0-0000-7000-8000-00000000000b";
export const ORIGINAL = `data/originals/${CLIP}/recording.mp4`;

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);

export type Files = Map<string, Buffer>;
export type Change = (files: Files) => void;

export interface BagWish {
  /** Made before the manifests, which are then right over it. */
  readonly content?: Change;
  /** Made after everything was signed. */
  readonly after?: Change;
  /** For an export of the clip alone. */
  readonly ofClip?: boolean;
  /** When everything was sealed and signed. */
  readonly at?: Date;
}

export async function sampleBag(wish: BagWish = {}) {
  const at = wish.at ?? SEALED_AT;
  const witness = parseSkey(noteKeyPair("bureau.example", Buffer.alloc(32, 9), "cosignature").skey);
  const { text: receipt, receipt: parts, keys, trust: believed } = await sealedClip({ witness, at });
  const log = parseSkey(noteKeyPair("log.example/custody", sha256(Buffer.from("log"))).skey);

  const binding = (revision: number, change: object = {}) => ({
    id: BINDING,
    revision,
    clipId: CLIP,
    caseId: CASE,
    withdrawn: false,
    capturedAt: "2026-11-22 08:00:00",
    capturePlace: "示范县人民路",
    collectorNumber: "DEMO-0001",
    evidencePurpose: "证明现场检查过程",
    stage: null,
    reason: null,
    madeBy: revision === 1 ? "system bind" : "person 7",
    createdAt: "2026-11-22T01:00:00.000Z",
    ...change,
  });
  const moved = {
    ...binding(1, { caseId: CASE }),
    id: "0192f1a0-0000-7000-8000-0000000000bb",
    clipId: "0192f1a0-0000-7000-8000-0000000000cc",
  };
  const bindings = [
    binding(1),
    binding(2, { capturePlace: "示范县解放路", reason: "地点有误" }),
    moved,
    { ...moved, revision: 2, caseId: OTHER_CASE, madeBy: "person 7" },
  ];

  // entries 0 to 4 are those of the receipt's log, which goes on
  const entries: { type: string; entry: Buffer; opening?: Buffer }[] = [];
  const said = (
    { clipId, caseId, madeBy, createdAt: _createdAt, ...details }: (typeof bindings)[number],
    type: string,
  ) => {
    const told = (madeBy.startsWith("person") ? { ...details, actor: madeBy } : details) as Json;
    const salt = sha256(Buffer.from(`${details.id}${details.revision}`)).toString("hex");
    const entry = encodeLeaf({
      v: 1,
      id: `0192f1a0-0000-7000-8000-1000000000${String(entries.length).padStart(2, "0")}`,
      type,
      at: at.toISOString(),
      subject: { clip: clipId, case: caseId },
      commitment: commit(told, salt),
    });
    entries.push({ type, entry, opening: encodeOpening({ details: told, salt }) });
  };
  said(bindings[0] as (typeof bindings)[number], "clip.bound");
  said(bindings[1] as (typeof bindings)[number], "clip.rebound");
  said(moved, "clip.bound");
  // of a case that is not exported: the bag has it because of the clip
  said({ ...binding(1), id: "0192f1a0-0000-7000-8000-0000000000ee", caseId: OTHER_CASE }, "clip.bound");

  const sealKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const { hint, publicPem } = sealKeyFacts(sealKey);
  const signature = signDigest(sha256(FILE), sealKey);
  const record = encodeHashedRekord({ sha256: sha256(FILE).toString("hex"), signature, publicPem });
  entries.push({ type: "clip.seal-published", entry: record });

  const leaves = ["a", "b"].map((text) => leafHash(Buffer.from(text)));
  leaves.push(leafHash(parts.entry), ...["c", "d"].map((text) => leafHash(Buffer.from(text))));
  leaves.push(...entries.map(({ entry }) => leafHash(entry)));
  const head = { origin: log.name, size: leaves.length, root: rootOf(leaves), extensions: [] };
  const signed = signCheckpoint(head, [log]);
  const checkpoint = signed + cosign(signed.slice(0, signed.indexOf("\n\n") + 1), witness, 1_795_000_000);
  const proofOf = async (index: number): Promise<Buffer[]> =>
    inclusionProof(index, leaves.length, async () => Buffer.concat(leaves));

  const authority = new TimestampAuthority(keys, { now: () => at }, (bytes) => Buffer.alloc(bytes, 0xc3));
  const stamp = async (bytes: Uint8Array): Promise<Buffer> => {
    const answer = await authority.respond(timestampRequest({ imprint: sha256(bytes), nonce: 5n }));
    return parseTimestampResponse(answer).tokenDer ?? Buffer.of();
  };

  const files: Files = new Map();
  files.set(ORIGINAL, FILE);
  files.set(`data/playable/${CLIP}/playback.mp4`, Buffer.from("a playable copy"));
  files.set(`data/receipts/${CLIP}.receipt.json`, Buffer.from(receipt));
  const place = 5 + entries.length - 1;
  const bundle = encodeSealBundle({
    sha256: sha256(FILE),
    signature,
    keyHint: hint,
    timestampToken: await stamp(signature),
    entry: record,
    logId: logIdOf(log.vkey),
    index: place,
    treeSize: leaves.length,
    root: head.root,
    hashes: await proofOf(place),
    checkpoint: signed,
  });
  files.set(`data/seals/${CLIP}.sigstore.json`, Buffer.from(bundle));
  const sealing = { type: "clip.sealed", entry: parts.entry, opening: parts.opening, index: 2 };
  for (const { type, entry, opening, index } of [sealing, ...entries.map((each, n) => ({ ...each, index: 5 + n }))]) {
    const path = `data/custody/${String(index).padStart(12, "0")}.${type}`;
    files.set(`${path}.entry.json`, entry);
    if (opening !== undefined) files.set(`${path}.opening.json`, opening);
    files.set(`${path}.proof.txt`, Buffer.from(formatTlogProof({ index, hashes: await proofOf(index), checkpoint })));
  }

  const digests = new ContentDigests();
  digests.update(FILE);
  const { sizeBytes, sha256: digest, sm3 } = digests.finish();
  const facts = { path: ORIGINAL, sizeBytes, sha256: digest, sm3 };
  const ofClip = wish.ofClip ?? false;
  files.set(
    "data/case.json",
    json({
      type: "dockseal/export-case@v1",
      subject: ofClip ? { clip: CLIP } : { case: CASE },
      number: ofClip ? null : "演示〔2026〕第1号",
      clips: [{ id: CLIP, ...facts }],
      bindings: ofClip
        ? [...bindings.slice(0, 2), { ...binding(1), id: "0192f1a0-0000-7000-8000-0000000000ee", caseId: OTHER_CASE }]
        : bindings,
    }),
  );
  files.set(
    "data/electronic-data-list.json",
    json({
      type: "dockseal/electronic-data-list@v1",
      title: "电子数据清单",
      checkpoint: { origin: log.name, size: head.size, root: head.root.toString("base64") },
      items: [
        {
          number: 1,
          clip: CLIP,
          ...facts,
          capturedAt: "2026-11-22 08:00:00",
          capturePlace: "示范县解放路",
          collectorNumber: "DEMO-0001",
          evidencePurpose: "证明现场检查过程",
          stage: "现场检查",
          caseNumber: "演示〔2026〕第1号",
          sealedAt: at.toISOString(),
          logIndex: 2,
          receipt: `data/receipts/${CLIP}.receipt.json`,
        },
      ],
    }),
  );
  const signer = createExportSigner({ name: "dockseal export", now: at });
  files.set("keys/log.vkey", Buffer.from(`${log.vkey}\n`));
  files.set("keys/timestamp-roots.pem", Buffer.from(keys.rootPem));
  files.set("keys/export-root.pem", Buffer.from(signer.rootPem));
  files.set("log/checkpoint", Buffer.from(checkpoint));
  files.set("bagit.txt", Buffer.from("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"));
  wish.content?.(files);

  const payload = [...files].filter(([path]) => path.startsWith("data/"));
  const bytes = payload.reduce((sum, [, content]) => sum + content.length, 0);
  files.set("bag-info.txt", Buffer.from(`Bagging-Date: 2026-11-22\nPayload-Oxum: ${bytes}.${payload.length}\n`));
  const listOf = (listed: Iterable<[string, Buffer]>, name: string): Buffer =>
    Buffer.from(
      [...listed].map(([path, content]) => `${createHash(name).update(content).digest("hex")}  ${path}\n`).join(""),
    );
  files.set("manifest-sha256.txt", listOf(payload, "sha256"));
  files.set("manifest-sha512.txt", listOf(payload, "sha512"));
  files.set("sm3-digests.txt", listOf(payload, "sm3"));
  const tags = [...files].filter(([path]) => !path.startsWith("data/"));
  const tagManifest = listOf(tags, "sha256");
  files.set("tagmanifest-sha512.txt", listOf(tags, "sha512"));
  files.set("tagmanifest-sha256.txt", tagManifest);
  files.set("signature/tagmanifest-sha256.txt.p7s", signDetached(tagManifest, signer, at));
  files.set("signature/tagmanifest-sha256.txt.tst", await stamp(tagManifest));
  wish.after?.(files);

  const trust: Trust = {
    logs: believed.logs,
    timestampRoots: believed.timestampRoots,
    witnesses: { threshold: 1, keys: [witness.vkey] },
    sealKeys: [publicPem],
    exportRoots: [signer.rootPem],
  };
  return { files, trust };
}

/** A bag as something to read from, cut into small pieces. */
export function readerOf(files: Files, others: readonly string[] = []): BagReader {
  return {
    async *list() {
      for (const path of files.keys()) yield { path, isFile: true };
      for (const path of others) yield { path, isFile: false };
    },
    async *open(path) {
      const content = files.get(path) as Buffer;
      for (let at = 0; at < content.length; at += 1000) yield content.subarray(at, at + 1000);
    },
  };
}
