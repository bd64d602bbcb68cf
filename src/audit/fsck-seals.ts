import { createHash } from "node:crypto";
import { type Report, reportRefused } from "#custody";
import type { Tx } from "#db";
import {
  digestSignatureHolds,
  imprintsOf,
  parseHashedRekord,
  parseSealedDetails,
  parseSealKey,
  parseSealManifest,
  verifyTimestampToken,
} from "#evidence";
import type { Json } from "#kernel";
import type { ClipEvent, ClipPage } from "./clip-pages.ts";
import { Comparison } from "./differences.ts";

/** Seal manifests, their timestamps, and published signatures, against the clip and what the log says was sealed. */
export async function fsckSeals(tx: Tx, page: ClipPage, report: Report): Promise<void> {
  for (const seal of await sealsOf(tx, page.ids)) {
    const compared = new Comparison(report, "seal", seal.id);
    const [sealed, ...others] = page.events(seal.id, "clip.sealed");
    const [hashed] = page.events(seal.id, "clip.hashed");
    if (others.length > 0) compared.differs("the log says more than once that it was sealed");
    if ((seal.manifest === null) !== (hashed === undefined)) {
      compared.differs(seal.manifest === null ? "its manifest is missing" : "there is a manifest, but no clip.hashed");
    }
    if ((seal.token === null) !== (sealed === undefined)) {
      compared.differs(seal.token === null ? "its timestamp is missing" : "there is a timestamp, but no clip.sealed");
    }
    if (seal.manifest !== null) {
      reportRefused(report, "seal", seal.id, () => checkManifest(seal, hashed, compared));
    }
    if (sealed !== undefined) reportRefused(report, "seal", seal.id, () => checkToken(seal, sealed, compared));
  }
  await checkPublished(tx, page, report);
}

function sealsOf(tx: Tx, ids: readonly string[]) {
  return tx
    .selectFrom("clip")
    .leftJoin("sealManifest", "sealManifest.clipId", "clip.id")
    .leftJoin("sealTimestamp", "sealTimestamp.clipId", "clip.id")
    .select(["clip.id", "sizeBytes", "sha256", "sm3", "chunkRoot", "objectKey", "versionId", "receivedAt"])
    .select(["retainedUntil", "manifest", "token", "generatedAt", "independent", "roots", "eventId"])
    .where("clip.id", "in", ids)
    .orderBy("clip.id")
    .execute();
}

type SealRow = Awaited<ReturnType<typeof sealsOf>>[number];

function checkManifest(seal: SealRow, hashed: ClipEvent | undefined, compared: Comparison): void {
  const bytes = seal.manifest ?? Buffer.alloc(0);
  compared.members(
    { manifestSha256: sha256Of(bytes) },
    { manifestSha256: hashed?.details["manifestSha256"] },
    "clip.hashed",
  );
  const manifest = parseSealManifest(bytes);
  compared.members(
    {
      clip: manifest.clip,
      sizeBytes: manifest.sizeBytes,
      sha256: manifest.sha256,
      sm3: manifest.sm3,
      chunkRoot: manifest.chunkTree.root,
      objectKey: manifest.stored.key,
      versionId: manifest.stored.versionId,
    },
    {
      ...{ clip: seal.id, sizeBytes: seal.sizeBytes, sha256: seal.sha256, sm3: seal.sm3, chunkRoot: seal.chunkRoot },
      ...{ objectKey: seal.objectKey, versionId: seal.versionId },
    },
    "the clip's row",
  );
  compared.instant("received", manifest.received.at, seal.receivedAt, "the clip's row");
  compared.instant("retention", manifest.stored.retention.until, seal.retainedUntil, "the clip's row");
}

function checkToken(seal: SealRow, sealed: ClipEvent, compared: Comparison): void {
  const { manifest, token } = seal;
  if (manifest === null || token === null) return; // said above
  const { actor: _actor, ...told } = sealed.details;
  const details = parseSealedDetails(told as Json);
  const found = {
    manifestSha256: sha256Of(manifest),
    tokenSha256: sha256Of(token),
    independent: seal.independent,
    event: seal.eventId,
  };
  const { manifestSha256, timestamp } = details;
  const { tokenSha256, independent } = timestamp;
  compared.members(found, { manifestSha256, tokenSha256, independent, event: sealed.id }, "clip.sealed");
  compared.instant("generatedAt", seal.generatedAt, timestamp.genTime, "clip.sealed");
  const { genTime } = verifyTimestampToken(token, { imprint: imprintsOf(manifest), roots: seal.roots ?? [] });
  compared.instant("generatedAt", seal.generatedAt, genTime.toISOString(), "the token");
}

/** Signatures over originals: the row, the entry in the log that publishes it, and the timestamp over it. */
async function checkPublished(tx: Tx, page: ClipPage, report: Report): Promise<void> {
  const bundles = await bundlesOf(tx, page.ids);
  for (const clipId of page.ids) {
    const [published, ...others] = page.events(clipId, "clip.seal-published");
    const bundle = bundles.get(clipId);
    const compared = new Comparison(report, "seal-bundle", clipId);
    if (others.length > 0) compared.differs("the log says more than once that its signature was published");
    if (published !== undefined && bundle === undefined)
      compared.differs("the signature that was published is missing");
    if (bundle === undefined) continue;
    reportRefused(report, "seal-bundle", clipId, () => checkBundle(bundle, published, compared));
  }
}

async function bundlesOf(tx: Tx, ids: readonly string[]) {
  const rows = await tx
    .selectFrom("sealBundle")
    .innerJoin("clip", "clip.id", "sealBundle.clipId")
    .leftJoin("custodyEvent", "custodyEvent.id", "sealBundle.eventId")
    .leftJoin("sealKey", "sealKey.hint", "keyHint")
    .leftJoin("timestampChain", "timestampChain.id", "chainId")
    .select([
      "clip.id",
      "sha256",
      "signature",
      "keyHint",
      "publicPem",
      "token",
      "generatedAt",
      "chainId",
      "certificates",
    ])
    .select(["eventId", "leaf"])
    .where("clip.id", "in", ids)
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

type BundleRow = Awaited<ReturnType<typeof bundlesOf>> extends Map<string, infer Row> ? Row : never;

function checkBundle(bundle: BundleRow, published: ClipEvent | undefined, compared: Comparison): void {
  const { signature, token, leaf, publicPem, certificates } = bundle;
  compared.members({ event: bundle.eventId }, { event: published?.id ?? null }, "the log");
  if (leaf === null || publicPem === null || certificates === null) {
    compared.differs("its entry, its key or the way to its timestamp's root is missing");
    return;
  }
  const record = parseHashedRekord(leaf);
  const key = parseSealKey(publicPem);
  compared.members(
    { sha256: bundle.sha256, signature: signature.toString("base64"), publicPem, keyHint: bundle.keyHint },
    {
      sha256: record.sha256,
      signature: record.signature.toString("base64"),
      publicPem: record.publicPem,
      keyHint: key.hint,
    },
    "its entry in the log",
  );
  if (!digestSignatureHolds(Buffer.from(bundle.sha256, "hex"), signature, key.key)) {
    compared.differs("the signature is not one over the original");
  }
  compared.members(
    { chain: bundle.chainId },
    { chain: sha256Of(Buffer.from(certificates.join(""))) },
    "its certificates",
  );
  // A token has bytes that nothing signs: its certificate may come from elsewhere.
  compared.members({ tokenSha256: sha256Of(token) }, { tokenSha256: published?.details["tokenSha256"] }, "the log");
  const imprint = imprintsOf(signature);
  const { genTime } = verifyTimestampToken(token, {
    imprint,
    roots: certificates.slice(-1),
    intermediates: certificates,
  });
  compared.instant("generatedAt", bundle.generatedAt, genTime.toISOString(), "the token");
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
