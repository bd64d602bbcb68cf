import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { request } from "node:http";
import { type CurlAnswer, curl, someMetadata } from "./curl.ts";
import { header } from "./refusals.ts";
import type { Stack, TestParty } from "./stack.ts";

/** A station that speaks tus 1.0 with curl, one request at a time. */
export class TusStation {
  readonly url: string;
  readonly token: string;

  constructor(stack: Stack, party: TestParty = stack.party, url: string = stack.url) {
    this.url = url;
    this.token = party.token;
  }

  call(method: string, path: string, headers: readonly string[] = [], ...more: string[]): Promise<CurlAnswer> {
    const how = method === "HEAD" ? ["--head"] : ["-X", method];
    const lines = [`authorization: Bearer ${this.token}`, "tus-resumable: 1.0.0", ...headers];
    return curl(...how, ...lines.flatMap((line) => ["-H", line]), ...more, `${this.url}${path}`);
  }

  begin(sizeBytes: number, metadata: Record<string, unknown> = {}, ...headers: string[]): Promise<CurlAnswer> {
    return this.call("POST", "/api/v1/uploads", [
      `upload-length: ${sizeBytes}`,
      `upload-metadata: metadata ${uploadMetadata(metadata)}`,
      ...headers,
    ]);
  }

  /** Begins an upload that must be taken. @returns its path. */
  async begun(sizeBytes: number, metadata: Record<string, unknown> = {}): Promise<string> {
    const answer = await this.begin(sizeBytes, metadata);
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
    return header(answer, "location") ?? "";
  }

  /** Sends a file, or what is on curl's standard input, from an offset on. */
  patch(path: string, offset: number, file: string, ...headers: string[]): Promise<CurlAnswer> {
    return this.call(
      "PATCH",
      path,
      [`upload-offset: ${offset}`, "content-type: application/offset+octet-stream", "expect:", ...headers],
      "--data-binary",
      `@${file}`,
    );
  }

  head(path: string): Promise<CurlAnswer> {
    return this.call("HEAD", path);
  }

  async offset(path: string): Promise<number> {
    const answer = await this.head(path);
    if (answer.status !== 200) throw new Error(`HEAD answered ${answer.status}`);
    return Number(header(answer, "upload-offset"));
  }

  complete(path: string): Promise<CurlAnswer> {
    return this.call("POST", `${path}/complete`);
  }
}

export function uploadMetadata(metadata: Record<string, unknown> = {}): string {
  return Buffer.from(JSON.stringify({ ...someMetadata, ...metadata })).toString("base64");
}

/**
 * A PATCH of the rest of a file whose connection is cut after so many bytes.
 * @returns how many bytes went out.
 */
export async function cutPatch(station: TusStation, path: string, file: string, from: number, bytes: number) {
  const { size } = await stat(file);
  const sent = Math.min(bytes, size - from);
  await new Promise<void>((resolve) => {
    const call = request(`${station.url}${path}`, {
      method: "PATCH",
      headers: {
        authorization: `Bearer ${station.token}`,
        "tus-resumable": "1.0.0",
        "upload-offset": String(from),
        "content-type": "application/offset+octet-stream",
        "content-length": String(size - from),
      },
    });
    call.on("error", () => resolve());
    call.on("response", (response) => response.resume().once("end", resolve));
    call.on("close", resolve);
    const body = createReadStream(file, { start: from, end: from + sent - 1 });
    body.on("data", (chunk) => {
      if (call.write(chunk)) return;
      body.pause();
      call.once("drain", () => body.resume());
    });
    body.once("end", () => call.write("", () => setImmediate(() => call.destroy())));
  });
  return sent;
}
