import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Test } from "tap";
import { parseSkey, type TimestampAuthorityKeys } from "#evidence";
import { type StationLine, type WatchOptions, watch } from "#station";
import type { Trust } from "#verify";
import { bareProduct } from "./bare-node.ts";
import type { Stack } from "./stack.ts";
import { until } from "./until.ts";

/** What a station is given beforehand: the installation's own keys. */
export async function trustOfStack(stack: Stack): Promise<Trust> {
  const keys = stack.environment["DOCKSEAL_KEYS_DIR"] ?? "";
  const { vkey } = parseSkey((await readFile(join(keys, "log.skey"), "utf8")).trim());
  const authority = JSON.parse(
    await readFile(join(keys, "timestamp-authority.json"), "utf8"),
  ) as TimestampAuthorityKeys;
  return { logs: [vkey], timestampRoots: [authority.rootPem] };
}

/** Writes files of a card, and gives the SHA-256 of each by its path below the folder. */
export async function makeCard(
  directory: string,
  files: Readonly<Record<string, Buffer>>,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), bytes);
    digests.set(name, createHash("sha256").update(bytes).digest("hex"));
  }
  return digests;
}

/** What is on a card now: SHA-256 by path below the folder. */
export async function contentOf(directory: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    found.set(
      path.slice(directory.length + 1),
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex"),
    );
  }
  return found;
}

/** `dockseal station watch` as a process that is killed and started again. */
export class AgentProcess {
  readonly #args: readonly string[];
  readonly #journal: string;
  readonly lines: StationLine[] = [];
  #child: ChildProcess | undefined;

  constructor(args: readonly string[], stateDir: string) {
    this.#args = args;
    this.#journal = join(stateDir, "journal.jsonl");
  }

  /** Resolves once it has opened its journal. */
  async start(): Promise<void> {
    const openedAt = async (): Promise<number> => (await stat(this.#journal).catch(() => undefined))?.ctimeMs ?? 0;
    const before = await openedAt();
    const child = spawn("env", bareProduct(["station", "watch", ...this.#args]), {
      // Started some fifty times: what was compiled once is not compiled again.
      env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: join(dirname(this.#journal), "..", "compiled") },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child = child;
    if (child.stdout === null) throw new Error("no standard output");
    createInterface({ input: child.stdout }).on("line", (line) => this.lines.push(JSON.parse(line)));
    await until(
      "the agent works",
      async () => {
        if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}`);
        return (await openedAt()) > before;
      },
      { everyMs: 10 },
    );
  }

  /** Resolves once it took a step, or had the time for one and nothing to do. */
  async progress(): Promise<void> {
    const sizeOf = async (): Promise<number> => (await stat(this.#journal)).size;
    const before = await sizeOf();
    const deadline = Date.now() + 2000;
    await until("a step", async () => (await sizeOf()) !== before || Date.now() > deadline, { everyMs: 10 });
  }

  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** @returns its exit code. */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
    return child.exitCode;
  }
}

/** Watches in this process until a line like that was said, or until `enough` is true of all lines. */
export async function watchUntil(
  options: Omit<WatchOptions, "signal" | "onLine" | "quietMs" | "lookEveryMs" | "defaults">,
  enough: (lines: readonly StationLine[]) => boolean,
): Promise<StationLine[]> {
  const stop = new AbortController();
  const lines: StationLine[] = [];
  const watching = watch({
    ...options,
    defaults: { recorderSerial: "REC-1", collectorNumber: "3715" },
    quietMs: 0,
    lookEveryMs: 100,
    signal: stop.signal,
    onLine: (line) => void lines.push(line),
  });
  try {
    await Promise.race([watching, until(`enough lines`, () => enough(lines))]);
  } catch (cause) {
    throw new Error(JSON.stringify(lines), { cause });
  } finally {
    stop.abort();
    await watching;
  }
  return lines;
}

/** The API, but with other receipts: what a broken or hostile server would answer. */
export async function serverWithReceipts(
  t: Pick<Test, "teardown">,
  stack: Stack,
  receiptFor: (clipId: string) => Promise<string>,
): Promise<string> {
  const server = createServer((request, response) => {
    const [, clipId] = /^\/api\/v1\/clips\/([^/]+)\/receipt$/.exec(request.url ?? "") ?? [];
    const answer = async (): Promise<void> => {
      if (clipId !== undefined) {
        response.writeHead(200).end(await receiptFor(clipId));
        return;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { method = "GET", headers } = request;
      const forwarded = await fetch(`${stack.url}${request.url}`, {
        method,
        headers: {
          authorization: headers.authorization ?? "",
          ...(headers["content-type"] === undefined ? {} : { "content-type": headers["content-type"] }),
        },
        ...(method === "POST" ? { body: Buffer.concat(chunks) } : {}),
      });
      response.writeHead(forwarded.status).end(await forwarded.text());
    };
    answer().catch((error: Error) => response.destroy(error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
