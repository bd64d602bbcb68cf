import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A real S3 server with versioning and Object Lock for tests. */
export interface Rgw {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  readonly host: string;
  readonly port: number;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Store URL of a bucket, with the keys that own it. */
  url(bucket: string): string;
}

/** What `t` of tap is to this file. */
interface Teardown {
  teardown(work: () => Promise<void>): void;
}

/**
 * The server named by DOCKSEAL_TEST_S3 (`http://ACCESS:SECRET@127.0.0.1:port`), or one brought up in a temporary
 * directory for this test file and ended after it.
 */
export async function rgw(t: Teardown): Promise<Rgw> {
  const given = process.env["DOCKSEAL_TEST_S3"];
  if (given) return fromUrl(new URL(given));
  const directory = await mkdtemp(join(tmpdir(), "dockseal-rgw-"));
  t.teardown(async () => {
    await run(script("rgw-down.sh"), [directory], { timeout: 60_000 });
    await rm(directory, { recursive: true, force: true });
  });
  const port = await freePortRange();
  await run(script("rgw-up.sh"), [directory, String(port)], { timeout: 120_000 });
  return fromUrl(new URL(`http://devaccesskey:devsecretkey0123456789@127.0.0.1:${port}`));
}

/** A name that no other test file uses. */
export function newBucket(): string {
  return `test-${randomBytes(8).toString("hex")}`;
}

function fromUrl({ host, hostname, port, username, password }: URL): Rgw {
  return {
    endpoint: `http://${host}`,
    host: hostname,
    port: Number(port),
    accessKey: decodeURIComponent(username),
    secretKey: decodeURIComponent(password),
    url: (bucket) => `s3://${username}:${password}@${host}/${bucket}?tls=0`,
  };
}

function script(name: string): string {
  return join(import.meta.dirname, "../../deploy/dev", name);
}

/** A port that is free, with the next one free too: radosgw takes the first, the monitor the second. */
async function freePortRange(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
  throw new Error("no free port between 20000 and 30000");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
