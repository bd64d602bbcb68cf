import type { Multipart, MultipartFile } from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import { type ClipMetadata, maximumMetadataBytes, parseMetadata } from "#ingest";
import { DocksealError } from "#kernel";

export interface MultipartClip {
  readonly metadata: ClipMetadata;
  /** The bytes of `file`; ends in an error when another part follows, so that nothing of such a request is kept. */
  readonly body: AsyncIterable<Buffer>;
  /** Ends the reading of what was not read. */
  destroy(): void;
}

/**
 * Reads `multipart/form-data` (RFC 7578) with exactly `metadata` and then `file`.
 * @throws DocksealError `metadata-missing`, `file-before-metadata`, `file-missing`, `one-file-only`, and those of the metadata.
 */
export async function readMultipartClip(request: FastifyRequest): Promise<MultipartClip> {
  if (!request.isMultipart()) throw new DocksealError("unsupported-media-type");
  const parts = request.parts();
  const first = await nextPart(parts);
  if (first === undefined) throw new DocksealError("metadata-missing");
  if (first.type === "file") {
    first.file.resume();
    throw new DocksealError(first.fieldname === "metadata" ? "metadata-missing" : "file-before-metadata", {
      detail: `the first field is the file ${JSON.stringify(first.fieldname)}`,
    });
  }
  if (first.fieldname !== "metadata")
    throw new DocksealError("metadata-missing", { detail: `the first field is ${JSON.stringify(first.fieldname)}` });
  if (first.valueTruncated) {
    throw new DocksealError("body-too-large", { detail: `metadata has more than ${maximumMetadataBytes} bytes` });
  }
  // A part that calls itself application/json arrives parsed.
  const metadata = parseMetadata(typeof first.value === "string" ? first.value : JSON.stringify(first.value));
  const second = await nextPart(parts);
  if (second === undefined) throw new DocksealError("file-missing");
  if (second.type !== "file" || second.fieldname !== "file") {
    if (second.type === "file") second.file.resume();
    throw new DocksealError("file-missing", { detail: `the second field is ${JSON.stringify(second.fieldname)}` });
  }
  return { metadata, body: bytesOf(second, parts), destroy: () => second.file.destroy() };
}

async function nextPart(parts: AsyncIterableIterator<Multipart>): Promise<Multipart | undefined> {
  const step = await parts.next();
  return step.done === true ? undefined : step.value;
}

async function* bytesOf(part: MultipartFile, parts: AsyncIterableIterator<Multipart>): AsyncGenerator<Buffer> {
  yield* part.file as AsyncIterable<Buffer>;
  // Cut by a limit that should not be there: never take a shortened file for a whole one.
  if (part.file.truncated) throw new DocksealError("file-too-large");
  const further = await nextPart(parts);
  if (further !== undefined) {
    if (further.type === "file") further.file.resume();
    throw new DocksealError("one-file-only", {
      detail: `a further field ${JSON.stringify(further.fieldname)} follows the file`,
    });
  }
}
