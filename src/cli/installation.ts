import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { sql } from "kysely";
import type { Logger } from "pino";
import { keysOfLog, logKeyIn, replaceFile } from "#custody";
import { type EmbeddedPostgres, migrate, openDatabase, startEmbeddedPostgres } from "#db";
import { DocksealError, pause, systemClock } from "#kernel";
import { builtInAuthority, exportSignerIn, sealKeyIn } from "#seal";
import { ensureLoginRole } from "./login-role.ts";
import { serveFlags } from "./node-flags.ts";
import { ownScript } from "./own-script.ts";

/** dockseal on one machine, out of one directory: embedded PostgreSQL, file system store, API and worker processes. */
export interface Installation {
  readonly url: string;
  readonly dataDir: string;
  /** Database URL of the application role. */
  readonly databaseUrl: string;
  /** Resolves when a part ended for good although nobody asked for it. */
  readonly failed: Promise<string>;
  stop(): Promise<void>;
}

export interface InstallationOptions {
  readonly dataDir: string;
  /** 0: any free port. Absent: 8080, or a free one when it is taken. */
  readonly port?: number | undefined;
  readonly logger: Logger;
  /** Further variables, e.g. a shorter retention for the demo. */
  readonly variables?: Readonly<Record<string, string>>;
  /** `immutable=0` for data that is to be thrown away. */
  readonly storeQuery?: string;
}

/** Layout of the data directory. */
export function pathsOf(dataDir: string) {
  const root = resolve(dataDir);
  return {
    root,
    database: join(root, "database"),
    store: join(root, "evidence"),
    keys: join(root, "keys"),
    scratch: join(root, "scratch"),
    logs: join(root, "logs"),
    trust: join(root, "trust.json"),
    access: join(root, "access.json"),
    environment: join(root, "environment.json"),
  };
}

/** Starts everything; when it rejects, everything that was started has been stopped. */
export async function startInstallation(options: InstallationOptions): Promise<Installation> {
  const paths = pathsOf(options.dataDir);
  const { logger } = options;
  await mkdir(paths.logs, { recursive: true });
  const postgres = await startEmbeddedPostgres({ dataDir: paths.database, log: logger });
  const children: Supervised[] = [];
  try {
    const environment = await prepare(paths, postgres, options);
    await replaceFile(paths.environment, `${JSON.stringify(environment, null, 2)}\n`, 0o600);
    const serve = await Supervised.start("serve", environment, paths.logs, logger);
    children.push(serve);
    children.push(await Supervised.start("work", environment, paths.logs, logger));
    const url = serve.ready.replace(/^ready /, "");
    return {
      url,
      dataDir: paths.root,
      databaseUrl: environment["DOCKSEAL_DATABASE_URL"] ?? "",
      failed: Promise.race(children.map((child) => child.failed)),
      stop: () => stopAll(children, postgres),
    };
  } catch (error) {
    await stopAll(children, postgres);
    throw error;
  }
}

async function stopAll(children: readonly Supervised[], postgres: EmbeddedPostgres): Promise<void> {
  await Promise.all(children.map((child) => child.stop()));
  await postgres.stop();
}

async function prepare(
  paths: ReturnType<typeof pathsOf>,
  postgres: EmbeddedPostgres,
  options: InstallationOptions,
): Promise<Record<string, string>> {
  await postgres.ensureDatabase("dockseal");
  await postgres.ensureDatabase("dockseal_queue");
  const owner = openDatabase({
    url: postgres.url("dockseal"),
    pool: 2,
    onConnectionError: (err) => options.logger.warn({ err }, "owner connection"),
  });
  try {
    await migrate(owner);
    const service = await ensureLoginRole(owner, paths.keys, "dockseal_service");
    await sql`GRANT dockseal_app TO dockseal_service`.execute(owner);
    const queue = await ensureLoginRole(owner, paths.keys, "dockseal_queue");
    await sql`ALTER DATABASE dockseal_queue OWNER TO dockseal_queue`.execute(owner);
    const logKey = await logKeyIn(paths.keys, logOrigin);
    // Also those that have retired: they signed what was given away before.
    const everSigned = (await keysOfLog(owner)).map(({ vkey }) => vkey);
    const vkeys = everSigned.length === 0 ? [logKey.vkey] : everSigned;
    return { ...urls(service, queue), ...(await settings(paths, options, vkeys)) };
  } finally {
    await owner.destroy();
  }

  function urls(service: Login, queue: Login): Record<string, string> {
    return {
      DOCKSEAL_DATABASE_URL: postgres.url("dockseal", service),
      DOCKSEAL_OWNER_DATABASE_URL: postgres.url("dockseal"),
      DOCKSEAL_QUEUE_URL: postgres.url("dockseal_queue", queue),
    };
  }
}

type Login = { readonly name: string; readonly password: string };

const logOrigin = "dockseal.local/log";

/** Everything but the databases; also writes the trust file. */
async function settings(
  paths: ReturnType<typeof pathsOf>,
  options: InstallationOptions,
  vkeys: readonly string[],
): Promise<Record<string, string>> {
  const { roots } = await builtInAuthority(paths.keys, systemClock);
  const { rootPem } = await exportSignerIn(paths.keys, systemClock);
  const { publicPem } = await sealKeyIn(paths.keys);
  const trust = {
    ...{ type: "dockseal/trust@v1", logs: vkeys, timestampRoots: roots },
    ...{ sealKeys: [publicPem], exportRoots: [rootPem] },
  };
  await writeFile(paths.trust, `${JSON.stringify(trust, null, 2)}\n`);
  return {
    DOCKSEAL_STORE_URL: `file://${encodeURI(paths.store)}${options.storeQuery ?? ""}`,
    DOCKSEAL_KEYS_DIR: paths.keys,
    DOCKSEAL_LOG_ORIGIN: logOrigin,
    DOCKSEAL_SCRATCH_DIR: paths.scratch,
    DOCKSEAL_HOST: "127.0.0.1",
    DOCKSEAL_PORT: String(await portFor(options.port)),
    ...options.variables,
  };
}

/** The wanted port, which must be free; without a wish 8080, or another when that is taken. */
async function portFor(wanted: number | undefined): Promise<number> {
  const free = await tryPort(wanted ?? 8080);
  if (free !== undefined) return free;
  if (wanted !== undefined)
    throw new DocksealError("usage", { detail: `port ${wanted} is taken: choose another with --port` });
  return (await tryPort(0)) ?? 0;
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") done(undefined);
      else fail(error);
    });
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : undefined));
    });
  });
}

/** The variables that an installation in that directory runs with, for `doctor --data`. */
export async function environmentOf(dataDir: string): Promise<Record<string, string>> {
  const { environment } = pathsOf(dataDir);
  try {
    return JSON.parse(await readFile(environment, "utf8")) as Record<string, string>;
  } catch (error) {
    throw new DocksealError("usage", {
      detail: `${environment} cannot be read: is there an installation?`,
      cause: error,
    });
  }
}

const startDeadlineMs = 60_000;

/** One child process that is started again when it ends by itself. Its log goes to a file. */
class Supervised {
  readonly #command: string;
  readonly #environment: Record<string, string>;
  readonly #logs: string;
  readonly #logger: Logger;
  readonly failed: Promise<string>;
  #fail: (reason: string) => void = () => undefined;
  #child: ChildProcess | undefined;
  #stopping = false;
  ready = "";

  private constructor(command: string, environment: Record<string, string>, logs: string, logger: Logger) {
    this.#command = command;
    this.#environment = environment;
    this.#logs = logs;
    this.#logger = logger;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  static async start(
    command: string,
    environment: Record<string, string>,
    logs: string,
    logger: Logger,
  ): Promise<Supervised> {
    const supervised = new Supervised(command, environment, logs, logger);
    try {
      supervised.ready = await supervised.#launch();
    } catch (error) {
      await supervised.stop();
      throw error;
    }
    return supervised;
  }

  /** @returns the line that says that the process is ready. */
  async #launch(): Promise<string> {
    const log = await open(join(this.#logs, `${this.#command}.log`), "a");
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DOCKSEAL_")));
    const flags = this.#command === "serve" ? serveFlags : [];
    const child = spawn(process.execPath, [...flags, ownScript, this.#command], {
      env: { ...inherited, ...this.#environment },
      stdio: ["ignore", "pipe", log.fd, "ipc"],
    });
    this.#child = child;
    await log.close();
    child.on("exit", (code, signal) => this.#onExit(code, signal));
    const { stdout } = child;
    if (stdout === null) throw new Error("the child process has no standard output");
    const giveUp = new AbortController();
    const line = new Promise<string>((resolve, reject) => {
      const lines = createInterface({ input: stdout });
      lines.once("line", resolve);
      child.once("error", reject);
      child.once("exit", () => reject(this.#startFailure()));
    });
    const late = pause(startDeadlineMs, giveUp.signal).then(() => {
      if (!giveUp.signal.aborted) throw this.#startFailure();
      return "";
    });
    try {
      return await Promise.race([line, late]);
    } finally {
      giveUp.abort();
    }
  }

  #startFailure(): DocksealError {
    return new DocksealError("internal", {
      detail: `\`dockseal ${this.#command}\` did not start: see ${join(this.#logs, `${this.#command}.log`)}`,
    });
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#stopping || this.ready === "") return;
    this.#logger.error({ command: this.#command, code, signal }, "a process ended by itself; it is started again");
    void pause(500)
      .then(() => (this.#stopping ? "" : this.#launch()))
      .catch((err: unknown) => {
        this.#logger.fatal({ err }, "a process could not be started again");
        this.#fail(`${this.#command} could not be started again`);
      });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const deadline = setTimeout(() => child.kill("SIGKILL"), 45_000);
    await ended;
    clearTimeout(deadline);
  }
}
