import { ContentDigests } from "#evidence";
import { api, asked } from "../api/client.ts";

/** What a person says of a document. */
export interface SaidOfDocument {
  readonly evidencePurpose: string;
  readonly stage?: string;
  readonly capturedAt: string;
  readonly place: string;
  readonly collectorNumber: string;
}

/** Read at once. */
const pieceBytes = 4 * 1024 * 1024;

/**
 * Adds a file to a case. Its digests are worked out here first, so that what arrives is what was chosen, or is refused.
 * @param onHashed told how many percent of the file were read.
 * @returns false when the organization's people had added the same bytes before.
 */
export async function sendDocument(
  caseId: string,
  file: File,
  said: SaidOfDocument,
  onHashed: (percent: number) => void,
): Promise<boolean> {
  const digests = new ContentDigests();
  for (let at = 0; at < file.size; at += pieceBytes) {
    digests.update(new Uint8Array(await file.slice(at, at + pieceBytes).arrayBuffer()));
    onHashed(Math.floor((Math.min(at + pieceBytes, file.size) / file.size) * 100));
  }
  const { sizeBytes, sha256, sm3 } = digests.finish();
  const stage = said.stage?.trim();
  const metadata = {
    fileName: file.name,
    sizeBytes,
    capturedAt: said.capturedAt.trim(),
    capturedAtZone: "Asia/Shanghai",
    place: { text: said.place.trim() },
    collectorNumber: said.collectorNumber.trim(),
    evidencePurpose: said.evidencePurpose.trim(),
    ...(stage ? { stage } : {}),
    digest: { sha256, sm3 },
  };
  const call = api.POST("/api/v1/cases/{id}/documents", {
    params: { path: { id: caseId } },
    // The document describes the fields of the form; the file is a stream of bytes.
    body: { metadata, file: "" },
    bodySerializer: () => {
      const form = new FormData();
      form.append("metadata", JSON.stringify(metadata));
      form.append("file", file);
      return form;
    },
  });
  await asked(call);
  return (await call).response.status === 201;
}
