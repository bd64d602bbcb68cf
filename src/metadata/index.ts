export { type CaptureReading, capturedInstant, captureReading } from "./capture-time.ts";
export {
  type ClipMetadata,
  type DocumentMetadata,
  documentSchema,
  type Kind,
  kinds,
  maximumMetadataBytes,
  metadataSchema,
  parseDocumentMetadata,
  parseMetadata,
} from "./clip-metadata.ts";
