import type { FastifyRequest } from "fastify";
import Type from "typebox";
import { DocksealError } from "#kernel";
import { type ClipMetadata, maximumMetadataBytes, parseMetadata } from "#metadata";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asStation, problem } from "../../schemas.ts";
import { type BegunUpload, takenClip, takeUpload } from "./take-upload.ts";

const mediaType = "application/octet-stream";

/** The bytes alone are the body, which costs less than a form: nothing has to be searched for a boundary. */
export function receiveRawClipRoute(instance: App, deps: HttpDependencies): void {
  // A context of its own: other routes know no such body.
  instance.register(async (app: App) => {
    app.addContentTypeParser(mediaType, (_request, payload, done) => done(null, payload));
    app.put(
      "/api/v1/clips/raw",
      {
        config: { access: ["station"], operation: "clips.receive-raw" },
        validatorCompiler: () => () => true,
        schema: {
          summary: "Send a clip as a bare body",
          description:
            "As `POST /api/v1/clips`, with the bytes of the file as the whole body. The header `Dockseal-Metadata` holds the base64 of the metadata (JSON, UTF-8). `Content-Length` counts as `sizeBytes`. `Repr-Digest` (RFC 9530) is honoured.",
          tags: ["clips"],
          security: asStation,
          consumes: [mediaType],
          headers: Type.Object({ "dockseal-metadata": Type.String({ contentEncoding: "base64" }) }),
          body: Type.String({ format: "binary" }),
          response: { ...takenClip, default: problem },
        },
      },
      async (request, reply) => {
        const metadata = withLength(metadataOf(request), request.headers["content-length"]);
        return takeUpload({ request, reply, deps }, async () => bareBody(request, metadata));
      },
    );
  });
}

/** @throws DocksealError `metadata-missing`, `malformed-request`, `body-too-large`, and those of the metadata. */
function metadataOf(request: FastifyRequest): ClipMetadata {
  const header = request.headers["dockseal-metadata"];
  if (typeof header !== "string" || header === "") {
    throw new DocksealError("metadata-missing", { detail: "the header Dockseal-Metadata is missing" });
  }
  const bytes = Buffer.from(header, "base64");
  // Node reads base64 leniently: what does not come back as it was is none (RFC 4648 §3.3).
  if (bytes.toString("base64") !== header) {
    throw new DocksealError("malformed-request", { detail: "Dockseal-Metadata is not base64 (RFC 4648 §4)" });
  }
  if (bytes.length > maximumMetadataBytes) {
    throw new DocksealError("body-too-large", { detail: `metadata has more than ${maximumMetadataBytes} bytes` });
  }
  try {
    return parseMetadata(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new DocksealError("malformed-request", { detail: "metadata is not UTF-8", cause });
  }
}

/** The length that the request announces is the length of the file. */
function withLength(metadata: ClipMetadata, header: string | undefined): ClipMetadata {
  if (header === undefined) return metadata;
  const sizeBytes = Number(header);
  if (metadata.sizeBytes !== undefined && metadata.sizeBytes !== sizeBytes) {
    throw new DocksealError("length-differs", {
      detail: `metadata says ${metadata.sizeBytes} bytes, Content-Length ${header}`,
    });
  }
  return { ...metadata, sizeBytes };
}

/** @throws DocksealError `unsupported-media-type`; while it is read, `upload-aborted` when the connection ended. */
function bareBody(request: FastifyRequest, metadata: ClipMetadata): BegunUpload {
  if (request.body !== request.raw) throw new DocksealError("unsupported-media-type", { detail: `send ${mediaType}` });
  const { raw } = request;
  return { metadata, body: bytesOf(raw), destroy: () => undefined };
}

async function* bytesOf(raw: FastifyRequest["raw"]): AsyncGenerator<Buffer> {
  try {
    // The stream stays open: an answer is still to be sent on its connection, and the rest of a refused body is read.
    yield* raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw new DocksealError("upload-aborted", { cause });
  }
}
