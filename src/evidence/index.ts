export {
  type Checkpoint,
  formatCheckpoint,
  type OpenedCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
} from "./checkpoint.ts";
export { commit, encodeOpening, type Opening, openingMatches, parseOpening } from "./commitment.ts";
export { CHUNK_BYTES, ContentDigests, type ContentFacts, Sha256Counter } from "./digests.ts";
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
  type NoteSignature,
  type NoteSigner,
  type NoteVerifier,
  noteKeyPair,
  type OpenedNote,
  openNote,
  parseNote,
  parseSkey,
  parseVkey,
  type SignedNote,
  signNote,
} from "./note.ts";
export { encodeReceipt, parseReceipt, parseSealedDetails, type Receipt, type SealedDetails } from "./receipt.ts";
export { encodeSealManifest, parseSealManifest, type SealManifest } from "./seal-manifest.ts";
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
export { certificatePem, createTimestampAuthority, type TimestampAuthorityKeys } from "./timestamp/authority-keys.ts";
export { type Certificate, parseCertificate } from "./timestamp/certificate.ts";
export type { TimestampCheck } from "./timestamp/checks.ts";
export {
  parseTimestampResponse,
  type TimestampQuestion,
  type TimestampResponse,
  timestampRequest,
} from "./timestamp/messages.ts";
export type { Accuracy } from "./timestamp/token.ts";
export {
  type TimestampExpectations,
  type VerifiedTimestamp,
  verifyTimestampToken,
} from "./timestamp/verify.ts";
export { formatTlogProof, parseTlogProof, type TlogProof, verifyTlogProof } from "./tlog-proof.ts";
