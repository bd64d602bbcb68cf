import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface CurlAnswer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
  /** The body as JSON. */
  json<T>(): T;
}

/** Runs the real `curl`. Rejects only when there is no answer at all. */
export async function curl(...args: string[]): Promise<CurlAnswer> {
  const { stdout } = await run("curl", ["-sS", "-i", "--max-time", "300", "-w", "\n%{http_code}", ...args], {
    maxBuffer: 256 * 1024 * 1024,
  });
  const cut = stdout.lastIndexOf("\n");
  // With `Expect: 100-continue` an interim head comes before the real one.
  let rest = stdout.slice(0, cut);
  let headers = "";
  while (/^HTTP\/[\d.]+ \d{3}/.test(rest)) {
    const end = rest.indexOf("\r\n\r\n");
    headers = rest.slice(0, end);
    rest = rest.slice(end + 4);
    if (!/^HTTP\/[\d.]+ 1\d\d/.test(headers)) break;
  }
  const body = rest;
  return { status: Number(stdout.slice(cut + 1)), headers, body, json: <T>() => JSON.parse(body) as T };
}

/** A clip as a docking station without our agent sends it. */
export function sendClip(
  url: string,
  token: string,
  file: string,
  metadata: Record<string, unknown>,
  ...more: string[]
): Promise<CurlAnswer> {
  return curl(
    "-H",
    `authorization: Bearer ${token}`,
    "-F",
    `metadata=${JSON.stringify(metadata)}`,
    "-F",
    `file=@${file}`,
    ...more,
    `${url}/api/v1/clips`,
  );
}

/** The same with the file as the bare body. */
export function sendRaw(
  url: string,
  token: string,
  file: string,
  metadata: Record<string, unknown>,
  ...more: string[]
): Promise<CurlAnswer> {
  return curl(
    "-H",
    `authorization: Bearer ${token}`,
    "-H",
    "content-type: application/octet-stream",
    "-H",
    `dockseal-metadata: ${Buffer.from(JSON.stringify(metadata)).toString("base64")}`,
    "-T",
    file,
    ...more,
    `${url}/api/v1/clips/raw`,
  );
}

export const someMetadata = {
  recorderSerial: "REC-0001",
  collectorNumber: "37150001",
  fileName: "clip.bin",
  capturedAt: "2026-11-21 09:30:00",
} as const;
