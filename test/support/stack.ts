import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { sql } from "kysely";
import type { Test } from "tap";
import { type Database, inTransaction, migrate, openDatabase } from "#db";
import { createOrganization, createPerson, createStation, type Role } from "#identity";
import { serveFlags } from "../../src/cli/node-flags.ts";
import { bareProduct } from "./bare-node.ts";
import { freePort } from "./port.ts";
import { testDatabase } from "./postgres.ts";
import { redis, type TestRedis } from "./redis.ts";
import { newBucket, type Rgw, rgw } from "./rgw.ts";

export interface StackOptions {
  readonly store: "filesystem" | "s3";
  readonly queue: "redis" | "postgres";
  /** Further or other DOCKSEAL_* variables. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Do not start `dockseal work`. */
  readonly withoutWorker?: boolean;
  /** Owner's URL of a database to use instead of a fresh one. */
  readonly databaseUrl?: string;
  /** URL of a queue to use instead of a fresh one. */
  readonly queueUrl?: string;
  /** Puts something between the product and its database: gets the application's URL, gives the one to use. */
  readonly between?: (appUrl: string) => Promise<string>;
  /** An S3 server of the test's own. */
  readonly s3?: Rgw;
}

export interface TestPerson {
  readonly role: Role;
  readonly name: string;
  readonly password: string;
}

export interface TestParty {
  readonly organizationId: string;
  readonly stationId: string;
  readonly token: string;
  readonly people: Readonly<Record<Role, TestPerson>>;
}

/** The product as a user runs it: `serve` and `work` as processes of their own, on real servers. */
export interface Stack {
  readonly url: string;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** As the owner of the tables. */
  readonly db: Database;
  readonly databaseUrl: string;
  readonly serve: Process;
  readonly work: Process;
  readonly redis: TestRedis | undefined;
  readonly party: TestParty;
  /** Of another organization. */
  readonly otherParty: TestParty;
}

const password = "correct horse battery staple";
const roles: readonly Role[] = ["handler", "supervisor", "auditor", "administrator"];

/** Starts a stack for a test file and ends it with the test. */
export async function startStack(t: Pick<Test, "teardown">, options: StackOptions): Promise<Stack> {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-stack-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const databaseUrl = options.databaseUrl ?? (await testDatabase(t)).url;
  const db = openDatabase({ url: databaseUrl, pool: 4, onConnectionError: () => undefined });
  t.teardown(() => db.destroy());
  await migrate(db);
  const ownUrl = await appRoleUrl(db, databaseUrl);
  const appUrl = (await options.between?.(ownUrl)) ?? ownUrl;
  const redisServer = options.queue === "redis" ? await redis(t) : undefined;
  const queueUrl = options.queueUrl ?? redisServer?.url ?? (await testDatabase(t)).url;
  const storeDirectory = join(directory, "evidence");
  const storeUrl =
    options.store === "filesystem"
      ? `file://${storeDirectory}?immutable=0`
      : (options.s3 ?? (await rgw(t))).url(newBucket());
  const party = await makeParty(db, "甲局");
  const otherParty = await makeParty(db, "乙局");
  const port = await freePort();
  await mkdir(join(directory, "logs"));
  const environment = {
    DOCKSEAL_DATABASE_URL: appUrl,
    DOCKSEAL_OWNER_DATABASE_URL: databaseUrl,
    DOCKSEAL_QUEUE_URL: queueUrl,
    DOCKSEAL_STORE_URL: storeUrl,
    DOCKSEAL_KEYS_DIR: join(directory, "keys"),
    DOCKSEAL_SCRATCH_DIR: join(directory, "scratch"),
    DOCKSEAL_PORT: String(port),
    DOCKSEAL_RETENTION_DAYS: "1",
    DOCKSEAL_RECONCILE_SECONDS: "2",
    DOCKSEAL_SHUTDOWN_SECONDS: "10",
    DOCKSEAL_SANDBOX: "limits",
    ...options.variables,
  };
  const serve = new Process("serve", environment, directory);
  const work = new Process("work", environment, directory);
  t.teardown(async () => {
    await Promise.all([serve.stop(), work.stop()]);
  });
  await serve.start();
  if (options.withoutWorker !== true) await work.start();
  return {
    url: `http://127.0.0.1:${port}`,
    directory,
    environment,
    db,
    databaseUrl,
    serve,
    work,
    redis: redisServer,
    party,
    otherParty,
  };
}

/** A login role that is a member of `dockseal_app` and owns nothing. */
export async function appRoleUrl(owner: Database, ownerUrl: string): Promise<string> {
  const name = `app_${randomBytes(6).toString("hex")}`;
  await sql`CREATE ROLE ${sql.id(name)} LOGIN PASSWORD 'test' IN ROLE dockseal_app`.execute(owner);
  const url = new URL(ownerUrl);
  url.username = name;
  url.password = "test";
  return url.href;
}

async function makeParty(db: Database, name: string): Promise<TestParty> {
  const suffix = randomBytes(4).toString("hex");
  const { organization, made } = await inTransaction(db, async (tx) => {
    const organization = await createOrganization(tx, `${name} ${suffix}`);
    const wanted = { organizationId: organization.id, number: `3715${suffix}`, name: "采集站" };
    return { organization, made: await createStation(tx, wanted) };
  });
  const people: Partial<Record<Role, TestPerson>> = {};
  for (const role of roles) {
    const signInName = `${role}-${suffix}`;
    await createPerson(db, { organizationId: organization.id, signInName, displayName: role, role, password });
    people[role] = { role, name: signInName, password };
  }
  return {
    organizationId: organization.id,
    stationId: made.station.id,
    token: made.token,
    people: people as Record<Role, TestPerson>,
  };
}

/** One process of the product. Its log is `<directory>/logs/<command>.log`. */
export class Process {
  readonly #command: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #directory: string;
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;

  constructor(
    command: string,
    environment: Readonly<Record<string, string>>,
    directory: string,
    options: readonly string[] = [],
  ) {
    this.#command = command;
    this.#environment = environment;
    this.#directory = directory;
    this.#options = options;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.#command} does not run`);
    return this.#child.pid;
  }

  /** Starts the process, and resolves when it says that it is ready. */
  async start(): Promise<void> {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DOCKSEAL_")));
    const flags = this.#command === "serve" ? serveFlags : [];
    // It writes its log itself: by a pipe the last lines would come after its end, or after what they tell of.
    const log = await open(this.logPath, "a");
    const child = spawn("env", bareProduct([this.#command, ...this.#options], flags), {
      env: { ...inherited, NODE_V8_COVERAGE: "", ...this.#environment },
      stdio: ["ignore", "pipe", log.fd, "ipc"],
    });
    this.#child = child;
    await log.close();
    if (child.stdout === null) throw new Error("no standard output");
    const lines = createInterface({ input: child.stdout });
    const ended = once(child, "exit").then(async ([code, signal]) => {
      throw new Error(`${this.#command} ended (${code ?? signal}):\n${(await this.log()).slice(-3000)}`);
    });
    ended.catch(() => undefined); // only of interest while we wait for the line
    await Promise.race([once(lines, "line"), ended]);
  }

  get logPath(): string {
    return join(this.#directory, "logs", `${this.#command}.log`);
  }

  log(): Promise<string> {
    return readFile(this.logPath, "utf8").catch(() => "");
  }

  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** False also when it ended by itself. */
  get runs(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The most resident memory that this process has had, in bytes. */
  async peakResidentBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  }

  /** Resident memory in bytes. */
  async residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }
}
