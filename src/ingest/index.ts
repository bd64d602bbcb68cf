export { type ClipChange, type ClipHappening, clipChanges, clipHappenings } from "./clip-happenings.ts";
export {
  type ClipRecord,
  type ClipState,
  type ClipSummary,
  clipDetail,
  clipFigures,
  clipRecord,
  clipStates,
  holdClip,
  lastArrivals,
  markExamined,
  markHashed,
  markQuarantined,
  markRestored,
  markSealed,
} from "./clips.ts";
export { type ClipFilter, countUnbound, listClips } from "./find-clips.ts";
export { type Container, type FileKind, kindOf, magicBytes } from "./kind.ts";
export { type IngestDependencies, type Origin, type Received, receiveClip, type Upload } from "./receive.ts";
export { addRepair, type Repair, repairsOfClip } from "./repairs.ts";
export { recordSourceWiped, type SourceWipe } from "./source-wipes.ts";
export { sweepAbandonedWrites } from "./sweep.ts";
export { completeUpload } from "./upload/complete.ts";
export { type IncomingPiece, receiveBytes } from "./upload/receive-bytes.ts";
export { type UploadRow, uploadOf } from "./upload/rows.ts";
export { type UploadUnderWay, uploadsUnderWay } from "./upload/under-way.ts";
export { beginUpload, checkHeld, endUpload, sweepUploads } from "./upload/uploads.ts";
