import { extname } from "node:path";
import { type ClipMetadata, capturedInstant, type Kind } from "#metadata";

/** What a file name can say about a recording. */
export type FileNameFacts = Pick<
  Partial<ClipMetadata>,
  "recorderSerial" | "collectorNumber" | "capturedAt" | "important" | "sequence" | "kind"
>;

/** One way of naming files. A further one is a further file here and a line in index.ts. */
export interface FileNameParser {
  readonly name: string;
  /** @returns undefined when the name is not of this form. */
  parse(fileName: string): FileNameFacts | undefined;
}

/** Whether these digits can be a date and a time of day. */
export function isTime(digits: string): boolean {
  return capturedInstant(digits, "Z") !== undefined;
}

/** What the extension of a recorder's file says; nothing for others. */
export function kindOfExtension(fileName: string): { kind?: Kind } {
  const kind = kinds[extname(fileName).toLowerCase()];
  return kind === undefined ? {} : { kind };
}

const kinds: Readonly<Record<string, Kind>> = {
  ".mp4": "video",
  ".avi": "video",
  ".mov": "video",
  ".ts": "video",
  ".mkv": "video",
  ".m4a": "audio",
  ".wav": "audio",
  ".mp3": "audio",
  ".aac": "audio",
  ".amr": "audio",
  ".jpg": "photo",
  ".jpeg": "photo",
  ".png": "photo",
  ".txt": "text",
};
