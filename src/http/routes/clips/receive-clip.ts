import Type from "typebox";
import { clipDetail, metadataSchema, receiveClip } from "#ingest";
import { DocksealError } from "#kernel";
import { stationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import { problemOf } from "../../problem-replies.ts";
import type { App } from "../../routed.ts";
import { asStation, clip, problem } from "../../schemas.ts";
import { readMultipartClip } from "./multipart-clip.ts";
import { sha256OfReprDigest } from "./repr-digest.ts";

/** Envelope of a form beside the file: boundaries, headers and the metadata. */
const envelopeBytes = 256 * 1024;

export function receiveClipRoute(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/clips",
    {
      config: { access: ["station"], operation: "clips.receive" },
      // The schema of the body is for the document only: the body is a stream, which no validator ever sees.
      validatorCompiler: () => () => true,
      schema: {
        summary: "Send a clip",
        description:
          "A form with the field `metadata` (JSON) first and the field `file` after it. `Repr-Digest` (RFC 9530) is honoured.",
        tags: ["clips"],
        security: asStation,
        consumes: ["multipart/form-data"],
        body: Type.Object({ metadata: metadataSchema, file: Type.String({ format: "binary" }) }),
        response: {
          200: { ...clip, description: "This recorder sent the same bytes before: the clip from then" },
          201: {
            ...clip,
            description: "Taken. It is evidence once its state is `sealed`; keep the file until there is a receipt",
          },
          default: problem,
        },
      },
    },
    async (request, reply) => {
      const declaredLength = Number(request.headers["content-length"] ?? 0);
      if (declaredLength > deps.limits.maxBytes + envelopeBytes) throw new DocksealError("file-too-large");
      try {
        const received = await deps.uploads.run(async (stop) => {
          const onClose = (): void => stop.abort(new DocksealError("upload-aborted"));
          request.raw.socket.once("close", onClose);
          // Until the file's first byte the stall timer of the ingest does not run yet.
          const headStall = setTimeout(
            () => stop.abort(new DocksealError("upload-stalled", { detail: "no complete metadata arrived" })),
            deps.limits.stallSeconds * 1000,
          );
          try {
            const reprSha256 = sha256OfReprDigest(request.headers["repr-digest"]);
            const form = await settled(readMultipartClip(request), stop.signal);
            clearTimeout(headStall);
            try {
              return await receiveClip(
                {
                  db: deps.db,
                  store: deps.store,
                  limits: deps.limits,
                  onCleanUpError: (err, objectKey) => request.log.warn({ err, objectKey }, "left to the sweeper"),
                },
                {
                  station: stationOf(request),
                  metadata: form.metadata,
                  body: form.body,
                  ...(reprSha256 === undefined ? {} : { reprSha256 }),
                  signal: stop.signal,
                  traceId: request.id,
                },
              );
            } finally {
              form.destroy();
            }
          } finally {
            clearTimeout(headStall);
            request.raw.socket.off("close", onClose);
          }
        });
        const detail = await clipDetail(deps.db, received.clipId);
        deps.metrics.uploads.inc({ outcome: received.created ? "created" : "duplicate" });
        if (received.created) deps.metrics.uploadedBytes.inc(detail.sizeBytes);
        const { metadata: _metadata, mediaFacts: _facts, ...summary } = detail;
        return reply
          .status(received.created ? 201 : 200)
          .header("location", `/api/v1/clips/${received.clipId}`)
          .send(summary);
      } catch (error) {
        deps.metrics.uploads.inc({ outcome: problemOf(error).code });
        throw error;
      }
    },
  );
}

/** The work's outcome, or the signal's reason as soon as it aborts. */
function settled<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
