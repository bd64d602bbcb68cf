import type { FastifyReply, FastifyRequest } from "fastify";
import { clipDetail, type IngestDependencies, type Received, receiveClip } from "#ingest";
import { DocksealError } from "#kernel";
import type { ClipMetadata } from "#metadata";
import { stationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import { problemOf } from "../../problem-replies.ts";
import { clip } from "../../schemas.ts";
import { sha256OfReprDigest } from "./repr-digest.ts";

/** What every way of sending a clip answers. */
export const takenClip = {
  200: { ...clip, description: "This recorder sent the same bytes before: the clip from then" },
  201: {
    ...clip,
    description: "Taken. It is evidence once its state is `sealed`; keep the file until there is a receipt",
  },
};

/** An upload whose metadata has been read, and whose bytes are still to come. */
export interface BegunUpload<T = ClipMetadata> {
  readonly metadata: T;
  readonly body: AsyncIterable<Buffer>;
  /** Ends the reading of what was not read. */
  destroy(): void;
}

type ClipDetail = Awaited<ReturnType<typeof clipDetail>>;

/** What receiving needs of the request that the bytes come with. */
export interface Receiving {
  readonly ingest: IngestDependencies;
  readonly reprSha256?: string;
  readonly signal: AbortSignal;
  readonly traceId: string;
}

/**
 * Takes the clip of one request and answers with it.
 * @param begin reads what comes before the bytes; it has as long as one wait for bytes may take.
 */
export async function takeUpload(
  at: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly deps: HttpDependencies },
  begin: () => Promise<BegunUpload>,
): Promise<FastifyReply> {
  const { request, reply, deps } = at;
  const station = stationOf(request);
  const received = await duringUpload(
    { request, deps, bringerId: station.id },
    begin,
    ({ metadata, body }, receiving) => {
      const { ingest, ...upload } = receiving;
      return receiveClip(ingest, { ...upload, station, metadata, body });
    },
  );
  const detail = await clipDetail(deps.db, received.clipId);
  if (received.created) deps.metrics.uploadedBytes.inc(detail.sizeBytes);
  return answerTaken(reply, received.created, detail);
}

/** Answers with the clip that an upload has become, or brought again. */
export function answerTaken(reply: FastifyReply, created: boolean, detail: ClipDetail): FastifyReply {
  const { metadata: _metadata, mediaFacts: _facts, ...summary } = detail;
  return reply
    .status(created ? 201 : 200)
    .header("location", `/api/v1/clips/${detail.id}`)
    .send(summary);
}

export function ingestOf(deps: HttpDependencies, request: FastifyRequest): IngestDependencies {
  return {
    ...{ db: deps.db, store: deps.store, limits: deps.limits },
    onCleanUpError: (err, objectKey) => request.log.warn({ err, objectKey }, "left to the sweeper"),
  };
}

/** Runs one upload: counted, and ended when the line breaks, when what comes before the bytes does not, and when the server stops. */
export async function duringUpload<Begun extends { destroy(): void }, Result extends Received>(
  at: { readonly request: FastifyRequest; readonly deps: HttpDependencies; readonly bringerId: string },
  begin: () => Promise<Begun>,
  receive: (begun: Begun, receiving: Receiving) => Promise<Result>,
): Promise<Result> {
  const { request, deps, bringerId } = at;
  try {
    const received = await deps.uploads.run(bringerId, async (stop) => {
      const onClose = (): void => stop.abort(new DocksealError("upload-aborted"));
      request.raw.socket.once("close", onClose);
      // Until the file's first byte the stall timer of the ingest does not run yet.
      const headStall = setTimeout(
        () => stop.abort(new DocksealError("upload-stalled", { detail: "no complete metadata arrived" })),
        deps.limits.stallSeconds * 1000,
      );
      try {
        const reprSha256 = sha256OfReprDigest(request.headers["repr-digest"]);
        const begun = await settled(begin(), stop.signal);
        clearTimeout(headStall);
        try {
          return await receive(begun, {
            ingest: ingestOf(deps, request),
            ...(reprSha256 === undefined ? {} : { reprSha256 }),
            signal: stop.signal,
            traceId: request.id,
          });
        } finally {
          begun.destroy();
        }
      } finally {
        clearTimeout(headStall);
        request.raw.socket.off("close", onClose);
      }
    });
    deps.metrics.uploads.inc({ outcome: received.created ? "created" : "duplicate" });
    return received;
  } catch (error) {
    deps.metrics.uploads.inc({ outcome: problemOf(error).code });
    throw error;
  }
}

/** The work's outcome, or the signal's reason as soon as it aborts. */
function settled<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
