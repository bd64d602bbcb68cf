import { DocksealError } from "#kernel";

/** What `Tus-Checksum-Algorithm` offers. */
export const checksumAlgorithms = "sha256";

/**
 * SHA-256 out of a header `Upload-Checksum` (tus 1.0, checksum): `sha256 <base64>`.
 * @returns hex, or undefined when the header is not there.
 * @throws DocksealError `malformed-request` for any other algorithm: tus 1.0 asks for 400.
 */
export function sha256OfUploadChecksum(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const found = /^sha256 ([A-Za-z0-9+/]{43}=)$/.exec(String(header))?.[1];
  if (found === undefined) {
    throw new DocksealError("malformed-request", { detail: "Upload-Checksum must be: sha256 <base64 of 32 bytes>" });
  }
  return Buffer.from(found, "base64").toString("hex");
}
