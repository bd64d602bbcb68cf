import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { DocksealError } from "#kernel";
import type { EvidenceStore, ObjectRef } from "#store";

export interface Rendition {
  readonly ref: ObjectRef;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly mediaType: string;
  /** Offered as a download under this name; without it, shown in place. */
  readonly downloadName?: string;
}

/**
 * Sends a stored object with a strong ETag (its SHA-256) and single byte ranges (RFC 9110 §14). A client that leaves, as
 * players do at every seek, ends the transfer from the store as well.
 */
export async function sendObject(
  request: FastifyRequest,
  reply: FastifyReply,
  store: EvidenceStore,
  rendition: Rendition,
): Promise<FastifyReply> {
  const etag = `"${rendition.sha256}"`;
  const size = rendition.sizeBytes;
  const facts = { etag, "accept-ranges": "bytes", "cache-control": "private, no-cache" };
  if (sameTag(request.headers["if-none-match"], etag)) return reply.status(304).headers(facts).send();
  const ifRange = request.headers["if-range"];
  const range = ifRange !== undefined && ifRange !== etag ? undefined : byteRange(request.headers.range, size);
  if (range === "unsatisfiable") {
    reply.header("content-range", `bytes */${size}`);
    throw new DocksealError("range-not-satisfiable");
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  const left = new AbortController();
  reply.raw.once("close", () => left.abort());
  // An empty stream: for a body that is none, fastify would write a length of 0 over ours.
  const body =
    request.method === "HEAD"
      ? Readable.from([])
      : await store.get(rendition.ref, { ...(range === undefined ? {} : { range }), signal: left.signal });
  if (left.signal.aborted) body.destroy();
  // Only now: an answer that is a problem has none of these.
  reply
    .headers({ ...facts, "content-length": end - start + 1 })
    .header("content-security-policy", "sandbox; default-src 'none'")
    .type(rendition.mediaType);
  if (range !== undefined) reply.status(206).header("content-range", `bytes ${start}-${end}/${size}`);
  if (rendition.downloadName !== undefined) {
    // RFC 8187: the name may hold any script; the plain form is for old clients.
    reply.header(
      "content-disposition",
      `attachment; filename="clip"; filename*=UTF-8''${encodeRfc8187(rendition.downloadName)}`,
    );
  }
  return reply.send(body);
}

/** The weak comparison of RFC 9110 §13.1.2. */
function sameTag(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes(etag) || tags.includes("*");
}

/** One range of RFC 9110 §14.1.2; several, or another unit: the whole is sent, as §14.2 allows. */
export function byteRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const first = match[1] === "" ? undefined : Number(match[1]);
  const last = match[2] === "" ? undefined : Number(match[2]);
  if (first === undefined) {
    if (last === 0 || size === 0) return "unsatisfiable";
    return { start: Math.max(0, size - (last ?? 0)), end: size - 1 };
  }
  if (last !== undefined && last < first) return undefined;
  if (first >= size) return "unsatisfiable";
  return { start: first, end: Math.min(last ?? size - 1, size - 1) };
}

function encodeRfc8187(name: string): string {
  return encodeURIComponent(name).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
