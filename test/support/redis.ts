import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { Test } from "tap";
import { freePort } from "./port.ts";

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends the server as a power cut would. */
  kill9(): Promise<void>;
  /** Starts it again on what it had written; ends it first in good order when it runs. */
  restart(): Promise<void>;
  flushAll(): Promise<void>;
}

/** A redis-server of the test's own: append-only file, no eviction, on loopback. It ends with the test. */
export async function redis(test: Pick<Test, "teardown">, settings: Record<string, string> = {}): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), "dockseal-redis-"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const wanted = { appendonly: "yes", "maxmemory-policy": "noeviction", save: "", ...settings };
  const words = Object.entries(wanted).flatMap(([name, value]) => [`--${name}`, value]);
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    server = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, ...words], {
      stdio: "ignore",
    });
    await once(server, "spawn");
    await command((client) => client.ping());
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    server = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = once(ending, "exit");
    ending.kill(signal);
    await ended;
  }
  async function command(ask: (client: Redis) => Promise<unknown>): Promise<void> {
    const client = new Redis(url, { maxRetriesPerRequest: 100, retryStrategy: () => 50 });
    client.on("error", () => undefined); // not up yet; the command fails after 100 tries
    try {
      await ask(client);
    } finally {
      client.disconnect();
    }
  }
  // A test that runs out of time is ended by a signal, and its teardown never runs.
  const lastResort = () => {
    server?.kill("SIGKILL");
  };
  process.once("exit", lastResort);
  test.teardown(async () => {
    await end("SIGKILL");
    process.off("exit", lastResort);
    await rm(dir, { recursive: true, force: true });
  });
  await start();
  return {
    url,
    port,
    get pid() {
      return server?.pid ?? 0;
    },
    kill9: () => end("SIGKILL"),
    restart: async () => {
      await end("SIGTERM");
      await start();
    },
    flushAll: () => command((client) => client.flushall()),
  };
}
