import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "./until.ts";

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
  const { stdout } = await run(script("rgw-up.sh"), [directory], { timeout: 180_000 });
  return fromUrl(new URL(stdout.trim()));
}

/** A name that no other test file uses. */
export function newBucket(): string {
  return `test-${randomBytes(8).toString("hex")}`;
}

/** A server of the test's own in that directory, for a test that kills it. */
export async function ownRgw(t: Teardown, directory: string): Promise<Rgw & { restart(): Promise<void> }> {
  const up = () => run(script("rgw-up.sh"), [directory], { timeout: 180_000 });
  t.teardown(async () => {
    await run(script("rgw-down.sh"), [directory], { timeout: 60_000 });
  });
  const { stdout } = await up();
  return {
    ...fromUrl(new URL(stdout.trim())),
    /** Ends the gateway as a power cut would, and starts it again. The disk behind it stays up. */
    restart: async () => {
      const pid = Number(await readFile(join(directory, "run/client.rgw.pid"), "utf8"));
      process.kill(pid, "SIGKILL");
      // As long as it is there, it counts as one that runs and needs no start. A dead one has no command line.
      await until("the gateway is gone", async () => {
        const words = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
        return !words.includes(directory);
      });
      await up();
    },
  };
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
