import { DocksealError } from "#kernel";

/**
 * SHA-256 out of a header `Repr-Digest` (RFC 9530 §3): a dictionary such as `sha-256=:base64:`. Other algorithms in it
 * are left aside, as §3 allows a recipient that has one it supports.
 * @returns hex, or undefined when the header is not there.
 * @throws DocksealError `malformed-request` when it holds no well-formed sha-256.
 */
export function sha256OfReprDigest(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = Array.isArray(header) ? header.join(",") : header;
  const found = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:$|[,;])/.exec(text)?.[1];
  if (found === undefined) {
    throw new DocksealError("malformed-request", {
      detail: "Repr-Digest must hold sha-256=:<base64 of 32 bytes>: (RFC 9530)",
    });
  }
  return Buffer.from(found, "base64").toString("hex");
}
