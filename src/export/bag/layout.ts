import type { DossierClip, StoredDerivative } from "../dossier.ts";
import { safeFileName } from "./names.ts";

// Where things lie in a bag: docs/export.md has the table.

/** Text records 文字记录 stand apart from recordings. */
export function originalPath({ record, detail }: Pick<DossierClip, "record" | "detail">): string {
  const folder = detail.kind === "text" ? "text-records" : "originals";
  return `data/${folder}/${record.id}/${safeFileName(record.fileName)}`;
}

const endings: Readonly<Record<string, string>> = {
  "video/mp4": "mp4",
  "audio/mp4": "m4a",
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/webp": "webp",
  "application/json": "json",
};

export function derivativePath(clipId: string, { role, mediaType }: StoredDerivative): string {
  return `data/playable/${clipId}/${role}.${endings[mediaType] ?? "bin"}`;
}

export function receiptPath(clipId: string): string {
  return `data/receipts/${clipId}.receipt.json`;
}

export function sealBundlePath(clipId: string): string {
  return `data/seals/${clipId}.sigstore.json`;
}

/** The files of a custody event begin so. */
export function eventPath(index: number, type: string): string {
  return `data/custody/${String(index).padStart(12, "0")}.${type}`;
}
