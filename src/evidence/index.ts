export {
  type AddCheckpoint,
  cosignatureIn,
  formatAddCheckpoint,
  parseAddCheckpoint,
  parseTlogSize,
  TLOG_SIZE,
} from "./add-checkpoint.ts";
export {
  type Checkpoint,
  formatCheckpoint,
  type OpenedCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
} from "./checkpoint.ts";
export { createExportSigner, type ExportSigner, signDetached, type VerifiedSignature, verifyDetached } from "./cms.ts";
export { commit, encodeOpening, type Opening, openingMatches, parseOpening } from "./commitment.ts";
export { cosign } from "./cosignature.ts";
export { CHUNK_BYTES, ContentDigests, type ContentFacts, Sha256Counter } from "./digests.ts";
export { decodeUtf8 } from "./encoding.ts";
export { encodeEntryBundle, parseEntryBundle } from "./entry-bundle.ts";
export { encodeHashedRekord, type HashedRekord, parseHashedRekord, parseLogEntry } from "./hashed-rekord.ts";
export { type CustodyLeaf, encodeLeaf, parseLeaf } from "./leaf.ts";
export {
  type ConsistencyClaim,
  consistencyHolds,
  type InclusionClaim,
  inclusionHolds,
  leafHash,
  MerkleRoot,
  nodeHash,
  rootOf,
} from "./merkle.ts";
export {
  type OpenedCosignature,
  type OpenedNote,
  openNote,
  parseNote,
  type SignedNote,
  signedByThese,
  signNote,
} from "./note.ts";
export { type NoteKeyType, type NoteSigner, type NoteVerifier, noteKeyPair, parseSkey, parseVkey } from "./note-key.ts";
export type { NoteSignature } from "./note-signature.ts";
export { encodeReceipt, parseReceipt, parseSealedDetails, type Receipt, type SealedDetails } from "./receipt.ts";
export { encodeSealBundle, parseSealBundle, SEAL_BUNDLE_MEDIA_TYPE, type SealBundle } from "./seal-bundle.ts";
export { encodeSealManifest, parseSealManifest, type SealManifest } from "./seal-manifest.ts";
export {
  digestSignatureHolds,
  parseSealKey,
  type SealKeyFacts,
  sealKeyFacts,
  signDigest,
} from "./seal-signature.ts";
export { anyMembers, exactMembers, literal, parseJsonOnce } from "./strict-json.ts";
export { parseTilePath, type TileName, tileIndexPath, tilePath, tileWidthAt } from "./tile-path.ts";
export {
  appendToTiles,
  consistencyProof,
  inclusionProof,
  TILE_WIDTH,
  type Tile,
  type TileReader,
  treeRoot,
} from "./tiles.ts";
export { BUILT_IN_POLICY, TimestampAuthority } from "./timestamp/authority.ts";
export {
  createTimestampAuthority,
  type TimestampAuthorityKeys,
  type TimestampProfile,
} from "./timestamp/authority-keys.ts";
export { type Certificate, parseCertificate, readExtensions } from "./timestamp/certificate.ts";
export { timestampChain } from "./timestamp/chain.ts";
export type { TimestampCheck } from "./timestamp/checks.ts";
export { type DerReader, readAll, TAG } from "./timestamp/der.ts";
export { type ImprintAlgorithm, type Imprints, imprintsOf } from "./timestamp/imprints.ts";
export { certificatePem } from "./timestamp/issue.ts";

export {
  parseTimestampResponse,
  type TimestampQuestion,
  type TimestampResponse,
  timestampRequest,
} from "./timestamp/messages.ts";
export { OID, SIGNATURES } from "./timestamp/oids.ts";
export { verifyTimestampChain } from "./timestamp/renewals.ts";
export type { Accuracy } from "./timestamp/token.ts";
export {
  type TimestampExpectations,
  type VerifiedTimestamp,
  verifyTimestampToken,
} from "./timestamp/verify.ts";
export { formatTlogProof, parseTlogProof, type TlogProof, verifyTlogProof } from "./tlog-proof.ts";
export { ctLogId, signTreeHead, type TreeHead, treeHeadSignatureHolds } from "./tree-head.ts";
export { encodeTrustedRoot, logIdOf } from "./trusted-root.ts";
export { parseWitnessPolicy, type WitnessPolicy, witnessesOf } from "./witness-policy.ts";
