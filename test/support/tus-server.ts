import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Readable } from "node:stream";
import { DataStore, Server, Upload } from "@tus/server";
import type { Test } from "tap";

/** Keeps uploads in memory, as far as their bytes came. */
class MemoryStore extends DataStore {
  readonly uploads = new Map<string, { bytes: Buffer; size: number; metadata: Record<string, string | null> }>();
  /** By upload, lines to cut once so many bytes came. */
  readonly cuts = new Map<string, { readonly afterBytes: number; readonly line: Socket }>();

  constructor() {
    super();
    this.extensions = ["creation", "termination"];
  }

  override async create(upload: Upload): Promise<Upload> {
    this.uploads.set(upload.id, { bytes: Buffer.alloc(0), size: upload.size ?? 0, metadata: upload.metadata ?? {} });
    return upload;
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    const held = this.#held(id);
    held.bytes = held.bytes.subarray(0, offset);
    const cut = this.cuts.get(id);
    this.cuts.delete(id);
    const chunks: Buffer[] = [];
    let came = 0;
    try {
      if (cut?.afterBytes === 0) cut.line.destroy();
      for await (const chunk of stream) {
        chunks.push(chunk as Buffer);
        came += (chunk as Buffer).length;
        // Counted here: at the socket there may be megabytes more, of whatever came while this process was busy.
        if (cut === undefined || came < cut.afterBytes) continue;
        cut.line.destroy();
        break;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error; // a cut line: what came is kept
    } finally {
      held.bytes = Buffer.concat([held.bytes, ...chunks]);
    }
    return held.bytes.length;
  }

  override async getUpload(id: string): Promise<Upload> {
    const { bytes, size } = this.#held(id);
    return new Upload({ id, size, offset: bytes.length });
  }

  override async remove(id: string): Promise<void> {
    this.uploads.delete(id);
  }

  #held(id: string) {
    const held = this.uploads.get(id);
    if (held === undefined) throw { status_code: 404, body: "no such upload\n" };
    return held;
  }
}

export interface TusTestServer {
  readonly url: string;
  readonly uploads: MemoryStore["uploads"];
  /** Asked of every request before it is handled; a number cuts a PATCH once so many bytes of its body came, `answer` before its answer. */
  fault: (request: IncomingMessage) => number | "answer" | undefined;
  /** Methods in the order in which they came. */
  readonly asked: string[];
}

/** `@tus/server` at the place where the API has its uploads, with the answer that completes one, and with faults. */
export async function tusTestServer(t: Pick<Test, "teardown">): Promise<TusTestServer> {
  const store = new MemoryStore();
  const tus = new Server({ path: "/api/v1/uploads", datastore: store });
  const asked: string[] = [];
  const complete = (id: string, response: ServerResponse): void => {
    const held = store.uploads.get(id);
    if (held === undefined || held.bytes.length !== held.size) {
      response.writeHead(held === undefined ? 404 : 409).end();
      return;
    }
    const sha256 = createHash("sha256").update(held.bytes).digest("hex");
    response.writeHead(201).end(JSON.stringify({ id: `clip-${id}`, state: "received", sha256, sizeBytes: held.size }));
  };
  const server = createServer((request, response) => {
    asked.push(request.method ?? "");
    const fault = made.fault(request);
    if (typeof fault === "number") {
      const id = request.url?.split("/").at(-1) ?? "";
      store.cuts.set(id, { afterBytes: fault, line: request.socket });
    }
    if (fault === "answer") response.end = () => response.destroy() as ServerResponse;
    const [, id] = /^\/api\/v1\/uploads\/([^/]+)\/complete$/.exec(request.url ?? "") ?? [];
    if (id === undefined) void tus.handle(request, response);
    else complete(id, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const made: TusTestServer = { url, uploads: store.uploads, fault: () => undefined, asked };
  return made;
}
