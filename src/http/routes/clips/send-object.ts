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
  reply
    .header("etag", etag)
    .header("accept-ranges", "bytes")
    .header("cache-control", "private, no-cache")
    .header("content-security-policy", "sandbox; default-src 'none'")
    .type(rendition.mediaType);
  if (rendition.downloadName !== undefined) {
    // RFC 8187: the name may hold any script; the plain form is for old clients.
    reply.header(
      "content-disposition",
      `attachment; filename="clip"; filename*=UTF-8''${encodeRfc8187(rendition.downloadName)}`,
    );
  }
  if (request.headers["if-none-match"]?.split(",").some((tag) => tag.trim() === etag)) return reply.status(304).send();
  const size = rendition.sizeBytes;
  const ifRange = request.headers["if-range"];
  const range = ifRange !== undefined && ifRange !== etag ? undefined : byteRange(request.headers.range, size);
  if (range === "unsatisfiable") {
    reply.header("content-range", `bytes */${size}`).removeHeader("etag");
    throw new DocksealError("range-not-satisfiable");
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  if (range !== undefined) reply.status(206).header("content-range", `bytes ${start}-${end}/${size}`);
  reply.header("content-length", end - start + 1);
  if (request.method === "HEAD") return reply.send();
  const left = new AbortController();
  reply.raw.once("close", () => left.abort());
  const body = await store.get(rendition.ref, { ...(range === undefined ? {} : { range }), signal: left.signal });
  if (left.signal.aborted) body.destroy();
  return reply.send(body);
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
