import type { FastifyReply, FastifyRequest } from "fastify";
import Type from "typebox";
import { clipDetail, completeUpload, type Received, uploadOf } from "#ingest";
import { DocksealError } from "#kernel";
import { stationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import { problemOf } from "../../problem-replies.ts";
import type { App } from "../../routed.ts";
import { asStation, idParams, problem } from "../../schemas.ts";
import { answerTaken, ingestOf, takenClip } from "../clips/take-upload.ts";
import { answerTus, type TusAnswer, tusVersion, uploadsPath } from "./tus-protocol.ts";
import { checksumAlgorithms, sha256OfUploadChecksum } from "./upload-checksum.ts";

const pieceType = "application/offset+octet-stream";
const empty = Type.Null({ description: "No body; see the headers of tus 1.0" });

/** Resumable uploads by tus 1.0, https://tus.io/protocols/resumable-upload. */
export function uploadRoutes(app: App, deps: HttpDependencies): void {
  // The bytes of a piece are left on the socket: the ingest reads them as the store takes them.
  app.addContentTypeParser(pieceType, (_request, _payload, done) => done(null));
  const common = { tags: ["uploads"], security: asStation };
  const handler = (request: FastifyRequest, reply: FastifyReply) => handleTus(deps, request, reply);
  const config = (operation: string) => ({ access: ["station"] as const, operation });
  const hooks = { onRequest: speaksTus };
  // The schema of a piece is for the document only: no validator ever sees it.
  const unread = { validatorCompiler: () => () => true };

  app.options(
    uploadsPath,
    {
      config: config("uploads.options"),
      schema: { ...common, summary: "What the server knows of tus", response: { 204: empty, default: problem } },
    },
    handler,
  );
  app.post(
    uploadsPath,
    {
      ...hooks,
      ...unread,
      config: config("uploads.begin"),
      schema: {
        ...common,
        summary: "Begin a resumable upload",
        description:
          "tus 1.0 with the extensions creation, creation-with-upload, expiration, checksum (sha256) and termination. `Upload-Length`, and `Upload-Metadata: metadata <base64>` with the same JSON as the field `metadata` of `POST /api/v1/clips`. The upload's address is in `Location`.",
        response: { 201: { ...empty, description: "Begun" }, default: problem },
      },
    },
    handler,
  );
  const one = `${uploadsPath}/:id`;
  const withId = { ...common, params: idParams };
  app.head(
    one,
    {
      ...hooks,
      config: config("uploads.offset"),
      schema: {
        ...withId,
        summary: "How far a resumable upload is",
        description:
          "`Upload-Offset` equals `Upload-Length` only when the clip is committed; its id is then in `Dockseal-Clip`.",
        response: { 200: empty, default: problem },
      },
    },
    handler,
  );
  app.patch(
    one,
    {
      ...hooks,
      ...unread,
      config: config("uploads.append"),
      schema: {
        ...withId,
        summary: "Send bytes of a resumable upload",
        description: `From \`Upload-Offset\` on, as \`${pieceType}\`; \`Upload-Checksum: sha256 <base64>\` is honoured. The answer to the last bytes comes when the clip is committed, with its id in \`Dockseal-Clip\`.`,
        consumes: [pieceType],
        response: { 204: empty, default: problem },
      },
    },
    handler,
  );
  app.delete(
    one,
    {
      ...hooks,
      config: config("uploads.end"),
      schema: { ...withId, summary: "End a resumable upload", response: { 204: empty, default: problem } },
    },
    handler,
  );
  app.post(
    `${one}/complete`,
    {
      config: config("uploads.complete"),
      schema: {
        ...withId,
        summary: "The clip of a resumable upload",
        description: "For a client that lost the last answer. May be asked again and again.",
        response: { ...takenClip, default: problem },
      },
    },
    async (request, reply) => {
      const station = stationOf(request);
      const received = await deps.uploads.attend(async (stop) => {
        const ingest = ingestOf(deps, request);
        const upload = await uploadOf(deps.db, station, request.params.id);
        const done = await completeUpload(ingest, upload, { station, traceId: request.id, signal: stop.signal });
        if (upload.outcome === undefined) await count(deps, done);
        return done;
      });
      return answerTaken(reply, received.created, await clipDetail(deps.db, received.clipId));
    },
  );
}

/** tus 1.0, core protocol: a request without the version, or with another one, is answered with 412 and not processed. */
async function speaksTus(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.header("tus-resumable", tusVersion);
  if (request.headers["tus-resumable"] !== tusVersion) {
    reply.header("tus-version", tusVersion);
    throw new DocksealError("tus-version-unsupported");
  }
  if (request.method === "PATCH" && request.headers["content-type"] !== pieceType) {
    throw new DocksealError("unsupported-media-type", { detail: `a piece is sent as ${pieceType}` });
  }
}

async function handleTus(deps: HttpDependencies, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { raw } = request;
  const station = stationOf(request);
  const brings = bringsBytes(request);
  const sha256 = brings ? sha256OfUploadChecksum(request.headers["upload-checksum"]) : undefined;
  const length = request.headers["content-length"];
  try {
    const work = async (stop: AbortController): Promise<TusAnswer> => {
      // A client that goes away ends the reading. What it sent is kept, and a completion under way goes on.
      const cut = new AbortController();
      const onClose = (): void => cut.abort(new DocksealError("upload-aborted"));
      raw.socket.once("close", onClose);
      try {
        return await answerTus({
          deps: ingestOf(deps, request),
          station,
          traceId: request.id,
          method: request.method,
          url: raw.url ?? "",
          headers: headersOf(request, brings),
          piece: {
            body: raw,
            sizeBytes: length === undefined ? undefined : Number(length),
            sha256,
            signal: AbortSignal.any([cut.signal, stop.signal]),
          },
          stop: stop.signal,
        });
      } finally {
        raw.socket.off("close", onClose);
      }
    };
    const answer = await (brings ? deps.uploads.run(station.id, work) : deps.uploads.attend(work));
    if (answer.received !== undefined) {
      reply.header("dockseal-clip", answer.received.clipId);
      if (brings) await count(deps, answer.received);
    }
    for (const [name, value] of answer.headers) {
      if (!name.startsWith("access-control-") && name !== "content-length") reply.header(name, value);
    }
    if (request.method === "OPTIONS") reply.header("tus-checksum-algorithm", checksumAlgorithms);
    reply.status(answer.status).send();
  } catch (error) {
    if (brings) deps.metrics.uploads.inc({ outcome: problemOf(error).code });
    throw error;
  }
}

async function count(deps: HttpDependencies, received: Received): Promise<void> {
  deps.metrics.uploads.inc({ outcome: received.created ? "created" : "duplicate" });
  if (received.created) deps.metrics.uploadedBytes.inc((await clipDetail(deps.db, received.clipId)).sizeBytes);
}

/** A piece, be it empty; or a creation with a body. */
function bringsBytes({ method, headers }: FastifyRequest): boolean {
  if (method === "PATCH") return true;
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  return headers["content-type"] === pieceType && hasBody;
}

function headersOf(request: FastifyRequest, brings: boolean): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
  // Where no bytes follow, a creation is not one with an upload, whatever type it names.
  if (!brings) headers.delete("content-type");
  return headers;
}
