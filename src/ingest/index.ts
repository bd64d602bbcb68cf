export { capturedInstant } from "./capture-time.ts";
export {
  type ClipFilter,
  type ClipRecord,
  type ClipState,
  type ClipSummary,
  clipDetail,
  clipFigures,
  clipRecord,
  holdClip,
  listClips,
  markExamined,
  markHashed,
  markQuarantined,
  markSealed,
} from "./clips.ts";
export {
  type ClipMetadata,
  type Kind,
  maximumMetadataBytes,
  metadataSchema,
  parseMetadata,
} from "./metadata.ts";
export { type IngestDependencies, type Received, receiveClip, type Upload } from "./receive.ts";
export { sweepAbandonedWrites } from "./sweep.ts";
