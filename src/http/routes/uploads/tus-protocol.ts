import { DataStore, type Locker, Server, Upload } from "@tus/server";
import type { StationActor } from "#identity";
import {
  beginUpload,
  checkHeld,
  completeUpload,
  endUpload,
  type IncomingPiece,
  type IngestDependencies,
  type Received,
  receiveBytes,
  type UploadRow,
  uploadOf,
} from "#ingest";
import { DocksealError, newId } from "#kernel";
import { parseMetadata } from "#metadata";

export const uploadsPath = "/api/v1/uploads";
export const tusVersion = "1.0.0";
const extensions = ["creation", "creation-with-upload", "expiration", "checksum", "termination"];

/** One request to the protocol. */
export interface TusRequest {
  readonly deps: IngestDependencies;
  readonly station: StationActor;
  readonly traceId: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  /** The bytes of a PATCH, or of a POST that brings some. */
  readonly piece: Omit<IncomingPiece, "offsetBytes">;
  /** The server stops. */
  readonly stop: AbortSignal;
}

export interface TusAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The clip that the upload has become, once it is committed. */
  readonly received: Received | undefined;
}

/**
 * Answers one request as tus 1.0 says: @tus/server reads the headers and words the answers; what is kept, where, and by
 * whom is decided by the ingest. A server object a request: it is a few small objects, and so nothing of one station's
 * request can reach another's.
 * @throws DocksealError for everything that is refused, also for what @tus/server refuses.
 */
export async function answerTus(request: TusRequest): Promise<TusAnswer> {
  const { deps, method, url, headers } = request;
  const uploads = new StationUploads(request);
  let refusal: { readonly error: unknown } | undefined;
  const server = new Server({
    path: uploadsPath,
    datastore: uploads,
    maxSize: deps.limits.maxBytes,
    relativeLocation: true,
    // Stations are no browsers: nothing is offered to pages of other origins.
    allowedOrigins: () => false,
    namingFunction: () => newId(),
    // The lease is taken by the statement that needs it, with its fence (src/ingest/upload/rows.ts).
    locker: noLocks,
    onUploadFinish: async (_request, upload) => {
      await uploads.complete(upload.id);
      return {};
    },
    onResponseError: (_request, error) => {
      refusal = { error };
      return undefined;
    },
  });
  // The bytes go past it: they are read from the socket as the store takes them, without a web stream in between.
  const answer = await server.handleWeb(new Request(new URL(url, "http://dockseal"), { method, headers }));
  if (refusal !== undefined) throw asProblem(refusal.error);
  if (answer.status >= 400) throw asProblem({ status_code: answer.status, body: await answer.text() });
  const told = answer.headers.has("upload-expires") ? uploads.expiresAt : undefined;
  if (told !== undefined) answer.headers.set("upload-expires", told.toUTCString());
  return { status: answer.status, headers: answer.headers, received: uploads.received };
}

const noLocks: Locker = { newLock: () => ({ lock: async () => undefined, unlock: async () => undefined }) };

/** The uploads of one station, as @tus/server wants to see them. */
class StationUploads extends DataStore {
  override readonly extensions = extensions;
  readonly #request: TusRequest;
  received: Received | undefined;
  /** By the database's clock. */
  expiresAt: Date | undefined;

  constructor(request: TusRequest) {
    super();
    this.#request = request;
  }

  override async create(upload: Upload): Promise<Upload> {
    const { deps, station } = this.#request;
    const { metadata: text, ...others } = upload.metadata ?? {};
    const unknown = Object.keys(others);
    if (unknown.length > 0) {
      const errors = unknown.map((name) => ({ field: `Upload-Metadata.${name}`, problem: "is not a known key" }));
      throw new DocksealError("unknown-field", {
        detail: `Upload-Metadata knows the key metadata alone, not ${unknown.join(", ")}`,
        extra: { errors },
      });
    }
    if (text === undefined || text === null) {
      throw new DocksealError("metadata-missing", {
        detail: "Upload-Metadata must be: metadata <base64 of the metadata as JSON>",
      });
    }
    await beginUpload(deps, station, { sizeBytes: upload.size ?? 0, metadata: parseMetadata(text) }, upload.id);
    return upload;
  }

  /** An upload as the client may be told of it: whole only when its clip is committed. */
  override async getUpload(id: string): Promise<Upload> {
    const { deps, method } = this.#request;
    const row = await this.#row(id);
    this.expiresAt = new Date(row.expiresAt);
    if (row.outcome === undefined && row.offsetBytes === row.sizeBytes) await this.complete(id);
    else if (row.outcome === undefined && method === "HEAD") await checkHeld(deps, row);
    else this.received = row.outcome;
    return new Upload({
      id,
      size: row.sizeBytes,
      offset: row.state === "complete" ? row.sizeBytes : row.offsetBytes,
      metadata: { metadata: JSON.stringify(row.metadata) },
      // No time of creation: @tus/server would compare it with the clock of this process. Whether an upload has expired
      // is said by the database's clock alone, which all processes share (uploadOf).
    });
  }

  override async write(_empty: unknown, id: string, offsetBytes: number): Promise<number> {
    const row = await this.#row(id);
    if (row.outcome !== undefined) return row.sizeBytes;
    return receiveBytes(this.#request.deps, row, { ...this.#request.piece, offsetBytes });
  }

  override async remove(id: string): Promise<void> {
    const row = await this.#row(id);
    if (row.outcome !== undefined) {
      throw new DocksealError("malformed-request", {
        detail: "the upload is complete: its clip is evidence and stays",
      });
    }
    await endUpload(this.#request.deps, id, row.write.key);
  }

  override getExpiration(): number {
    return this.#request.deps.limits.resumableSeconds * 1000;
  }

  async complete(id: string): Promise<void> {
    const { deps, station, traceId, stop } = this.#request;
    this.received = await completeUpload(deps, await this.#row(id), { station, traceId, signal: stop });
  }

  #row(id: string): Promise<UploadRow> {
    return uploadOf(this.#request.deps.db, this.#request.station, id);
  }
}

/** What @tus/server refuses with is a status and a sentence. */
function asProblem(error: unknown): unknown {
  if (error instanceof Error && !("status_code" in error)) return error;
  const { status_code: status, body } = error as { status_code?: number; body?: string };
  const detail = (body ?? "").trim();
  switch (status) {
    case 404:
      return new DocksealError("not-found", { detail: "No such upload" });
    case 409:
      return new DocksealError("upload-offset-differs");
    case 410:
      return new DocksealError("upload-gone");
    case 413:
      return new DocksealError("file-too-large", { detail });
    case undefined:
    case 500:
      return new DocksealError("internal", { detail, cause: error });
    default:
      return new DocksealError("malformed-request", { detail, cause: error });
  }
}
