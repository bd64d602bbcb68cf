import type { Multipart, MultipartFile } from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import { DocksealError, isProblem } from "#kernel";
import { maximumMetadataBytes, parseMetadata } from "#metadata";
import type { BegunUpload } from "./take-upload.ts";

/** A clip as the API takes it: fields `metadata` and `file`. */
export function readMultipartClip(request: FastifyRequest): Promise<BegunUpload> {
  return readMultipartForm(request, "metadata", parseMetadata);
}

/**
 * Reads `multipart/form-data` (RFC 7578) with exactly a field of that name, which `parse` reads, and then `file`. The
 * body ends in an error when another part follows, so that nothing of such a request is kept.
 * @throws DocksealError `metadata-missing`, `file-before-metadata`, `file-missing`, `one-file-only`, `upload-aborted`,
 * `malformed-request` when it is no whole form, and those of the metadata.
 */
export async function readMultipartForm<T>(
  request: FastifyRequest,
  name: string,
  parse: (text: string) => T,
): Promise<BegunUpload<T>> {
  if (!request.isMultipart()) throw new DocksealError("unsupported-media-type");
  // Every part as a stream of the bytes that were sent: the plugin would drop a field that it cannot read, and put
  // U+FFFD where a text is no UTF-8.
  const parts = request.parts({ isPartAFile: () => true });
  const first = await nextPart(parts);
  if (first === undefined) throw new DocksealError("metadata-missing");
  if (first.fieldname !== name) {
    throw new DocksealError(first.fieldname === "file" ? "file-before-metadata" : "metadata-missing", {
      detail: `the first field is ${JSON.stringify(first.fieldname)}`,
    });
  }
  const metadata = parse(await shortText(first));
  const second = await nextPart(parts);
  if (second?.fieldname !== "file") {
    const detail = second === undefined ? "" : `the second field is ${JSON.stringify(second.fieldname)}`;
    throw new DocksealError("file-missing", detail === "" ? {} : { detail });
  }
  return { metadata, body: bytesOf(second, parts), destroy: () => second.file.destroy() };
}

async function nextPart(parts: AsyncIterableIterator<Multipart>): Promise<MultipartFile | undefined> {
  const step = await parts.next().catch((error: unknown) => {
    throw formProblem(error);
  });
  if (step.done === true) return undefined;
  if (step.value.type !== "file") throw new Error("the form's parts were to come as streams");
  return step.value;
}

async function shortText(part: MultipartFile): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of fileOf(part)) {
    sizeBytes += chunk.length;
    if (sizeBytes > maximumMetadataBytes) {
      throw new DocksealError("body-too-large", { detail: `metadata has more than ${maximumMetadataBytes} bytes` });
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new DocksealError("malformed-request", { detail: "metadata is not UTF-8", cause });
  }
}

async function* fileOf(part: MultipartFile): AsyncGenerator<Buffer> {
  try {
    yield* part.file as AsyncIterable<Buffer>;
  } catch (error) {
    throw formProblem(error);
  }
}

async function* bytesOf(part: MultipartFile, parts: AsyncIterableIterator<Multipart>): AsyncGenerator<Buffer> {
  yield* fileOf(part);
  // Cut by a limit that should not be there: never take a shortened file for a whole one.
  if (part.file.truncated) throw new DocksealError("file-too-large");
  const further = await nextPart(parts);
  if (further !== undefined) {
    throw new DocksealError("one-file-only", {
      detail: `a further field ${JSON.stringify(further.fieldname)} follows the file`,
    });
  }
}

/** What the parser says of a form is the sender's fault, unless the connection ended. Its errors have no codes. */
function formProblem(error: unknown): unknown {
  if (!(error instanceof Error) || isProblem(error)) return error;
  const code = "code" in error ? error.code : undefined;
  if (code === "FST_MP_PREMATURE_CLOSE" || code === "ECONNRESET")
    return new DocksealError("upload-aborted", { cause: error });
  // Those with a code of the plugin are worded where all errors are.
  if (typeof code === "string" && code.startsWith("FST_")) return error;
  return new DocksealError("malformed-request", {
    detail: `the form cannot be read: ${error.message}`,
    cause: error,
  });
}
