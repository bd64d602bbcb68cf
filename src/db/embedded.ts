import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, open, readFile, realpath, rename, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import pg from "pg";
import type { Logger } from "pino";
import { DocksealError, pause } from "#kernel";
import {
  type BinariesDir,
  codeOf,
  findBinaries,
  type RunAs,
  serverAccount,
  serverEnvironment,
  unusable,
} from "./embedded-binaries.ts";
import { createCluster, keptPassword, superuser, superuserPassword } from "./embedded-cluster.ts";
import { claim, endOrphan, endPostmaster, livingOwner, textOf } from "./embedded-owner.ts";

export interface EmbeddedPostgresOptions {
  /**
   * Directory of this server alone; made when missing. In it: `pgdata` (the cluster), `credentials.json` (0600),
   * `port`, `server.log`, and `owner.json` while a process of ours runs the server.
   */
  readonly dataDir: string;
  /** TCP port on 127.0.0.1. 0 or absent: the port of last time when it is free, else any free one. */
  readonly port?: number;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  /** How long start-up may take. Recovery after a crash can be long on a large write-ahead log. Default 120 s. */
  readonly startDeadlineMs?: number;
}

/** How to reach a server. URLs hold a password: never log them. */
export interface EmbeddedPostgresAddress {
  readonly port: number;
  /** The superuser's URL for the database `postgres`. */
  readonly superuserUrl: string;
  /** URL of a database for the superuser, or for a role made since. */
  url(database: string, user?: { readonly name: string; readonly password: string }): string;
}

export interface EmbeddedPostgres extends EmbeddedPostgresAddress {
  /** Process id of the postmaster; changes when it had to be started again. */
  readonly pid: number;
  /** Makes a database (UTF8, C.UTF-8) unless it exists. */
  ensureDatabase(name: string): Promise<void>;
  /** Ends the server in good order; open connections are cut off, transactions under way are rolled back. */
  stop(): Promise<void>;
}

/**
 * Runs a PostgreSQL 18 of our own, from the binaries that npm installed, reachable on 127.0.0.1 alone.
 * It survives what its owner does: after a `kill -9` of our process the server left behind is ended and started anew;
 * when the server itself dies it is started again on the same port.
 * @throws DocksealError `configuration-invalid` (no binaries, directory in use, port taken, not our cluster),
 *   `database-unavailable` (did not get ready within the deadline).
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries();
  // Others may pass through (the server's account must), but not list.
  await mkdir(options.dataDir, { recursive: true, mode: 0o711 });
  const dir = await realpath(options.dataDir);
  const release = await claim(dir);
  try {
    await endOrphan(dir, options.log);
    const account = await serverAccount(join(dir, "pgdata"));
    const password = await superuserPassword(dir);
    const runAs = await createCluster(dir, binaries, account, password);
    const server = await Server.start({ dir, binaries, runAs, options });
    const address = addressOf(server.port, password);
    options.log.info({ port: server.port, pid: server.pid, dataDir: dir }, "embedded PostgreSQL is ready");
    let stopped: Promise<void> | undefined;
    return {
      ...address,
      get pid() {
        return server.pid;
      },
      ensureDatabase: (name) => ensureDatabase(address, name),
      stop: () => {
        stopped ??= server.stop().finally(release);
        return stopped;
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The address of a server that another process of ours runs in `dataDir` now; undefined when none does. */
export async function findEmbeddedPostgres(dataDir: string): Promise<EmbeddedPostgresAddress | undefined> {
  const dir = await realpath(dataDir).catch(() => undefined); // a directory that is not there has no server
  if (dir === undefined || (await livingOwner(dir)) === undefined) return undefined;
  const [port, password] = [Number(await textOf(join(dir, "port"))), await keptPassword(dir)];
  return port > 0 && password !== undefined ? addressOf(port, password) : undefined;
}

function addressOf(port: number, password: string): EmbeddedPostgresAddress {
  const url: EmbeddedPostgresAddress["url"] = (database, user = { name: superuser, password }) =>
    `postgres://${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  return { port, url, superuserUrl: url("postgres") };
}

async function ensureDatabase(address: EmbeddedPostgresAddress, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: address.superuserUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    await client.query(`create database ${pg.escapeIdentifier(name)}`);
  } catch (error) {
    if (codeOf(error) !== "42P04") throw error; // duplicate_database
  } finally {
    await client.end();
  }
}

/** One postmaster after another on one port, until stopped. */
class Server {
  readonly port: number;
  readonly #launch: () => Promise<ChildProcess>;
  readonly #log: EmbeddedPostgresOptions["log"];
  #child: ChildProcess;
  readonly #stopping = new AbortController();
  #restarting: Promise<void> = Promise.resolve();

  private constructor(
    port: number,
    child: ChildProcess,
    launch: () => Promise<ChildProcess>,
    log: EmbeddedPostgresOptions["log"],
  ) {
    this.port = port;
    this.#child = child;
    this.#launch = launch;
    this.#log = log;
    this.#watch();
  }

  static async start(at: {
    dir: string;
    binaries: BinariesDir;
    runAs: RunAs;
    options: EmbeddedPostgresOptions;
  }): Promise<Server> {
    const wanted = at.options.port ?? 0;
    const remembered = Number((await textOf(join(at.dir, "port"))) ?? 0);
    for (let attempt = 1; ; attempt++) {
      const port = wanted !== 0 ? wanted : await freePort(attempt === 1 ? remembered : 0);
      const launch = () => launchPostmaster({ ...at, port });
      try {
        const child = await launch();
        await writeFile(join(at.dir, "port"), String(port), { mode: 0o644 });
        return new Server(port, child, launch, at.options.log);
      } catch (error) {
        // Somebody may have taken a free port between our look and the bind; and backends of a postmaster that was
        // killed need a moment to see it.
        const mayPass =
          (wanted === 0 && saysLog(error, /could not (bind|create any TCP)/)) || saysLog(error, /shared memory block/);
        if (attempt === 5 || !mayPass) throw error;
        await pause(attempt * 200);
      }
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#restarting;
    await endPostmaster(this.pid, () => hasExited(this.#child));
  }

  #watch(): void {
    const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
      if (this.#stopping.signal.aborted) return;
      this.#log.error({ code, signal }, "embedded PostgreSQL ended unexpectedly and is started again");
      this.#restarting = this.#restarting.then(() => this.#restart());
    };
    if (hasExited(this.#child)) onExit(this.#child.exitCode, this.#child.signalCode);
    else this.#child.once("exit", onExit);
  }

  /** Goes on until it works: what ended the server (a full disk, no memory) may pass. */
  async #restart(): Promise<void> {
    for (let pauseMs = 500; !this.#stopping.signal.aborted; pauseMs = Math.min(pauseMs * 2, 30_000)) {
      try {
        this.#child = await this.#launch();
        this.#watch();
        this.#log.info({ pid: this.pid }, "embedded PostgreSQL is ready again");
        return;
      } catch (error) {
        this.#log.error({ err: error }, "embedded PostgreSQL could not be started again");
      }
      await pause(pauseMs, this.#stopping.signal);
    }
  }
}

async function launchPostmaster(at: {
  dir: string;
  binaries: BinariesDir;
  runAs: RunAs;
  port: number;
  options: EmbeddedPostgresOptions;
}): Promise<ChildProcess> {
  const [pgdata, logFile] = [join(at.dir, "pgdata"), join(at.dir, "server.log")];
  const settings = {
    listen_addresses: "127.0.0.1",
    port: at.port,
    unix_socket_directories: "",
    shared_buffers: "64MB",
    max_connections: 100,
    max_wal_size: "512MB",
    fsync: "on",
    full_page_writes: "on",
    timezone: "UTC",
    log_timezone: "UTC",
    log_line_prefix: "%m [%p] ",
    log_checkpoints: "off",
    // Values and statements may hold personal data; the server's log is to hold none.
    log_error_verbosity: "terse",
    log_min_error_statement: "panic",
  };
  const parameters = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const [program = "", ...rest] = [...at.runAs, join(at.binaries, "bin/postgres"), "-D", pgdata, ...parameters];
  if (((await stat(logFile).catch(() => undefined))?.size ?? 0) > 16 * 1024 * 1024)
    await rename(logFile, `${logFile}.old`);
  const output = await open(logFile, "a", 0o600);
  const from = (await output.stat()).size;
  // Detached: Ctrl-C in a terminal goes to the whole process group, and the server has to outlive our own shutdown.
  const child = spawn(program, rest, {
    cwd: "/",
    env: serverEnvironment,
    detached: true,
    stdio: ["ignore", output.fd, output.fd],
  });
  const failedToSpawn = new Promise<Error>((resolve) => child.once("error", resolve));
  await output.close();
  const deadline = Date.now() + (at.options.startDeadlineMs ?? 120_000);
  while (Date.now() < deadline) {
    // The eighth line of postmaster.pid is the state; pg_ctl waits for the same (src/backend/utils/init/miscinit.c).
    const state = (await textOf(join(pgdata, "postmaster.pid")))?.split("\n") ?? [];
    if (Number(state[0]) === child.pid && state[7]?.trim() === "ready") return child;
    if (child.pid === undefined) throw unusable(`PostgreSQL could not be run: ${(await failedToSpawn).message}`);
    if (hasExited(child)) {
      throw unusable(
        `PostgreSQL did not start: ${(await readFile(logFile)).subarray(from).subarray(-2000).toString("utf8").trim()}`,
      );
    }
    await pause(25);
  }
  await endPostmaster(child.pid ?? 0, () => hasExited(child));
  throw new DocksealError("database-unavailable", {
    detail: `the embedded PostgreSQL in ${at.dir} was not ready in time`,
  });
}

function saysLog(error: unknown, words: RegExp): boolean {
  return error instanceof DocksealError && words.test(error.message);
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** The preferred port when it is free, else one that the system gives. */
async function freePort(preferred: number): Promise<number> {
  const listening = (port: number) =>
    new Promise<number>((resolve, reject) => {
      const probe = createServer().once("error", reject);
      probe.listen({ host: "127.0.0.1", port }, () => {
        const address = probe.address();
        probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
      });
    });
  return await listening(preferred).catch(() => listening(0)); // taken: any other does
}
