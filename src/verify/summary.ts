import {
  parseCheckpoint,
  parseLeaf,
  parseNote,
  parseOpening,
  parseReceipt,
  parseSealedDetails,
  parseSealManifest,
  parseTlogProof,
} from "#evidence";

/** What a receipt says, for people. Nothing of it is verified. */
export interface ReceiptSummary {
  readonly clipId: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly sm3: string;
  readonly chunkRoot: string;
  /** Time of the timestamp, RFC 3339 UTC, as logged. */
  readonly sealedAt: string;
  readonly timestampIndependent: boolean;
  readonly storedAt: { readonly location: string; readonly key: string; readonly versionId: string };
  readonly retention: { readonly mode: string; readonly until: string };
  readonly log: { readonly origin: string; readonly index: number; readonly size: number };
}

/** @throws DocksealError malformed-proof. */
export function summarizeReceipt(text: string): ReceiptSummary {
  const receipt = parseReceipt(text);
  parseLeaf(receipt.entry);
  const manifest = parseSealManifest(receipt.manifest);
  const { timestamp } = parseSealedDetails(parseOpening(receipt.opening).details);
  const { index, checkpoint } = parseTlogProof(receipt.proof);
  const { origin, size } = parseCheckpoint(parseNote(checkpoint).text);
  const { location, key, versionId, retention } = manifest.stored;
  return {
    clipId: manifest.clip,
    sizeBytes: manifest.sizeBytes,
    sha256: manifest.sha256,
    sm3: manifest.sm3,
    chunkRoot: manifest.chunkTree.root,
    sealedAt: timestamp.genTime,
    timestampIndependent: timestamp.independent,
    storedAt: { location, key, versionId },
    retention,
    log: { origin, index, size },
  };
}
