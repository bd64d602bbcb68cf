import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/*
 * A small S3 with versioning and Object Lock that is as strict as a real one where strictness finds faults (exact
 * length, ascending parts, known ETags, smallest part, payload digest), and that fails on demand as a real one will not.
 */

/** What a request is, for a fault to choose it. */
export type Operation =
  | "bucket"
  | "list"
  | "list-uploads"
  | "put"
  | "initiate"
  | "part"
  | "list-parts"
  | "complete"
  | "abort"
  | "head"
  | "get"
  | "delete"
  | "retention"
  | "legal-hold";

export interface Call {
  readonly operation: Operation;
  readonly method: string;
  readonly key: string;
  readonly partNumber: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Reads the body and does what an honest server does, without answering. */
  perform(): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Gives an answer, or `handled` when it has dealt with the response itself; undefined: go on honestly. */
export type Fault = (call: Call) => Promise<Answer | "handled" | undefined> | Answer | "handled" | undefined;

interface Version {
  versionId: string;
  bytes: Buffer;
  etag: string;
  modifiedAt: Date;
  attempt: string;
  deleteMarker: boolean;
  retention?: { mode: string; until: Date };
  hold?: boolean;
}

interface Upload {
  readonly key: string;
  readonly attempt: string;
  readonly startedAt: Date;
  readonly parts: Map<number, { bytes: Buffer; etag: string }>;
}

const SMALLEST_PART_BYTES = 5 * 1024 * 1024;

export class StrictS3 {
  /** Newest first, as they are listed. */
  readonly objects = new Map<string, Version[]>();
  readonly uploads = new Map<string, Upload>();
  readonly calls: Operation[] = [];
  fault: Fault | undefined;
  /** False: locks are accepted and not kept, as some servers do (pitfall "no WORM"). */
  worm = true;
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((error) => response.destroy(error));
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `s3://access:secret@127.0.0.1:${(this.#server.address() as AddressInfo).port}/evidence?tls=0`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** What is kept: objects and unfinished uploads. */
  get leftovers(): { objects: string[]; uploads: string[] } {
    return { objects: [...this.objects.keys()], uploads: [...this.uploads.values()].map(({ key }) => key) };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://s3");
    const key = decodeURIComponent(url.pathname.split("/").slice(2).join("/"));
    const operation = operationOf(request.method ?? "", key, url.searchParams);
    const partNumber = Number(url.searchParams.get("partNumber") ?? 0);
    this.calls.push(operation);
    let performed: Promise<Answer> | undefined;
    const perform = () => {
      performed ??= this.#perform(operation, request, key, url.searchParams, partNumber);
      return performed;
    };
    const call = { operation, method: request.method ?? "", key, partNumber, request, response, perform };
    const answer = (await this.fault?.(call)) ?? (await perform());
    if (answer === "handled" || response.destroyed) return;
    response.writeHead(answer.status, { "x-amz-request-id": "strict", ...answer.headers });
    response.end(request.method === "HEAD" ? undefined : answer.body);
  }

  async #perform(
    operation: Operation,
    request: IncomingMessage,
    key: string,
    query: URLSearchParams,
    partNumber: number,
  ): Promise<Answer> {
    if (!request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ")) return refusal(403, "AccessDenied");
    const body = await buffer(request);
    const declared = request.headers["x-amz-content-sha256"];
    if (declared !== "UNSIGNED-PAYLOAD" && declared !== sha256(body).toString("hex")) {
      return refusal(400, "XAmzContentSHA256Mismatch");
    }
    const checksum = request.headers["x-amz-checksum-sha256"];
    if (checksum !== undefined && checksum !== sha256(body).toString("base64")) return refusal(400, "BadDigest");
    const version = this.#version(key, query.get("versionId"));
    const attempt = String(request.headers["x-amz-meta-dockseal-attempt"] ?? "");
    switch (operation) {
      case "bucket":
        return bucketAnswer(query);
      case "list":
        return this.#list(query.get("prefix") ?? "");
      case "list-uploads":
        return this.#listUploads(query.get("prefix") ?? "");
      case "put":
        if (request.headers["if-none-match"] === "*" && this.objects.has(key))
          return refusal(412, "PreconditionFailed");
        return this.#store(key, body, attempt, md5(body));
      case "initiate": {
        const uploadId = `2~${randomBytes(12).toString("base64")}`;
        this.uploads.set(uploadId, { key, attempt, startedAt: new Date(), parts: new Map() });
        return {
          status: 200,
          body: `<InitiateMultipartUploadResult><UploadId>${uploadId}</UploadId></InitiateMultipartUploadResult>`,
        };
      }
      case "part": {
        const upload = this.uploads.get(query.get("uploadId") ?? "");
        if (!upload) return refusal(404, "NoSuchUpload");
        upload.parts.set(partNumber, { bytes: body, etag: md5(body) });
        return { status: 200, headers: { etag: `"${md5(body)}"` } };
      }
      case "list-parts":
        return this.#listParts(query.get("uploadId") ?? "");
      case "complete":
        return this.#complete(key, query.get("uploadId") ?? "", body.toString());
      case "abort":
        return this.uploads.delete(query.get("uploadId") ?? "") ? { status: 204 } : refusal(404, "NoSuchUpload");
      case "delete": {
        if (!version) return { status: 204 };
        if (this.worm && isHeld(version)) return refusal(403, "AccessDenied");
        const rest = (this.objects.get(key) ?? []).filter((other) => other !== version);
        if (rest.length > 0) this.objects.set(key, rest);
        else this.objects.delete(key);
        return { status: 204 };
      }
      default:
        if (!version) return refusal(404, "NoSuchVersion");
        if (operation === "retention") return this.#retention(request.method ?? "", version, body.toString());
        if (operation === "legal-hold") return legalHold(request.method ?? "", version, body.toString());
        return read(version, request.headers.range);
    }
  }

  #version(key: string, versionId: string | null): Version | undefined {
    return this.objects.get(key)?.find((version) => version.versionId === versionId);
  }

  #store(key: string, bytes: Buffer, attempt: string, etag: string): Answer {
    const versionId = randomBytes(16).toString("hex");
    const version = { versionId, bytes, etag, modifiedAt: new Date(), attempt, deleteMarker: false };
    this.objects.set(key, [version, ...(this.objects.get(key) ?? [])]);
    return { status: 200, headers: { etag: `"${etag}"`, "x-amz-version-id": versionId } };
  }

  #complete(key: string, uploadId: string, xml: string): Answer {
    const upload = this.uploads.get(uploadId);
    if (!upload) return refusal(404, "NoSuchUpload");
    const listed = Array.from(xml.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>"([^"]*)"<\/ETag>/g));
    const bytes: Buffer[] = [];
    for (const [at, [, number, etag]] of listed.entries()) {
      const part = upload.parts.get(Number(number));
      if (Number(number) !== at + 1) return refusal(400, "InvalidPartOrder");
      if (!part || part.etag !== etag) return refusal(400, "InvalidPart");
      if (at < listed.length - 1 && part.bytes.length < SMALLEST_PART_BYTES) return refusal(400, "EntityTooSmall");
      bytes.push(part.bytes);
    }
    this.uploads.delete(uploadId);
    const stored = this.#store(key, Buffer.concat(bytes), upload.attempt, `${"0".repeat(32)}-${listed.length}`);
    const body = `<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`;
    return { ...stored, body };
  }

  #list(prefix: string): Answer {
    const entries = [...this.objects]
      .filter(([key]) => key.startsWith(prefix))
      .sort()
      .flatMap(([key, versions]) =>
        versions.map(
          ({ versionId, bytes, modifiedAt }) =>
            `<Version><Key>${key}</Key><VersionId>${versionId}</VersionId><Size>${bytes.length}</Size>` +
            `<LastModified>${modifiedAt.toISOString()}</LastModified></Version>`,
        ),
      );
    return {
      status: 200,
      body: `<ListVersionsResult><IsTruncated>false</IsTruncated>${entries.join("")}</ListVersionsResult>`,
    };
  }

  #listUploads(prefix: string): Answer {
    const entries = [...this.uploads]
      .filter(([, { key }]) => key.startsWith(prefix))
      .map(
        ([uploadId, { key, startedAt }]) =>
          `<Upload><Key>${key}</Key><UploadId>${uploadId}</UploadId><Initiated>${startedAt.toISOString()}</Initiated></Upload>`,
      );
    return { status: 200, body: `<ListMultipartUploadsResult>${entries.join("")}</ListMultipartUploadsResult>` };
  }

  #listParts(uploadId: string): Answer {
    const upload = this.uploads.get(uploadId);
    if (!upload) return refusal(404, "NoSuchUpload");
    const parts = [...upload.parts]
      .sort(([a], [b]) => a - b)
      .map(([number, { etag }]) => `<Part><PartNumber>${number}</PartNumber><ETag>&quot;${etag}&quot;</ETag></Part>`);
    return {
      status: 200,
      body: `<ListPartsResult><IsTruncated>false</IsTruncated>${parts.join("")}</ListPartsResult>`,
    };
  }

  #retention(method: string, version: Version, xml: string): Answer {
    const { retention } = version;
    if (method === "GET") {
      if (!retention) return refusal(404, "NoSuchObjectLockConfiguration");
      const until = retention.until.toISOString();
      return {
        status: 200,
        body: `<Retention><Mode>${retention.mode}</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`,
      };
    }
    const mode = /<Mode>(\w+)</.exec(xml)?.[1] ?? "";
    const until = new Date(/<RetainUntilDate>([^<]+)</.exec(xml)?.[1] ?? "");
    const weaker = retention?.mode === "COMPLIANCE" && (mode !== "COMPLIANCE" || until < retention.until);
    if (this.worm && weaker) return refusal(403, "AccessDenied");
    version.retention = { mode, until };
    return { status: 200 };
  }
}

function operationOf(method: string, key: string, query: URLSearchParams): Operation {
  if (key === "") return query.has("versions") ? "list" : query.has("uploads") ? "list-uploads" : "bucket";
  if (query.has("retention")) return "retention";
  if (query.has("legal-hold")) return "legal-hold";
  if (method === "POST") return query.has("uploads") ? "initiate" : "complete";
  if (method === "PUT") return query.has("partNumber") ? "part" : "put";
  if (method === "DELETE") return query.has("uploadId") ? "abort" : "delete";
  if (method === "GET" && query.has("uploadId")) return "list-parts";
  return method === "HEAD" ? "head" : "get";
}

function bucketAnswer(query: URLSearchParams): Answer {
  if (query.has("versioning")) {
    return { status: 200, body: "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>" };
  }
  const lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
  return query.has("object-lock") ? { status: 200, body: lock } : { status: 200 };
}

function legalHold(method: string, version: Version, xml: string): Answer {
  if (method === "GET") {
    return { status: 200, body: `<LegalHold><Status>${version.hold ? "ON" : "OFF"}</Status></LegalHold>` };
  }
  version.hold = xml.includes("<Status>ON<");
  return { status: 200 };
}

function read({ bytes, versionId, etag, modifiedAt, attempt }: Version, range: string | undefined): Answer {
  const headers = {
    "x-amz-version-id": versionId,
    etag: `"${etag}"`,
    "last-modified": modifiedAt.toUTCString(),
    "x-amz-meta-dockseal-attempt": attempt,
  };
  if (range === undefined)
    return { status: 200, body: bytes, headers: { ...headers, "content-length": String(bytes.length) } };
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
  const part = bytes.subarray(Number(from), Number(to) + 1);
  if (part.length === 0) return refusal(416, "InvalidRange");
  const last = Number(from) + part.length - 1;
  const contentRange = `bytes ${from}-${last}/${bytes.length}`;
  return {
    status: 206,
    body: part,
    headers: { ...headers, "content-length": String(part.length), "content-range": contentRange },
  };
}

function isHeld({ retention, hold }: Version): boolean {
  return hold === true || (retention !== undefined && retention.until.getTime() > Date.now());
}

export function refusal(status: number, code: string): Answer {
  return { status, body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>refused</Message></Error>` };
}

function sha256(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function md5(bytes: Buffer): string {
  return createHash("md5").update(bytes).digest("hex");
}
