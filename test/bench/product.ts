import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { pino } from "pino";
import { type Database, inTransaction, migrate, openDatabase, startEmbeddedPostgres } from "#db";
import { createOrganization, createStation } from "#identity";
import { serveFlags } from "../../src/cli/node-flags.ts";
import { productScript } from "../support/bare-node.ts";
import { freePort } from "../support/port.ts";
import { newBucket, type Rgw, rgw } from "../support/rgw.ts";
import { firstLineOf, startChild } from "./child.ts";
import type { Endings } from "./endings.ts";

/** What is measured: `dockseal serve` as a process of its own, on PostgreSQL and Ceph RGW. */
export interface Product {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly s3: Rgw;
  readonly bucket: string;
  readonly storeUrl: string;
  readonly directory: string;
  /** As the owner of the tables. */
  readonly db: Database;
  readonly organizationId: string;
  /** Starts `dockseal work`, and resolves when it takes jobs. @param queues default: those that a receipt needs. */
  startWorker(endings: Endings, queues?: string): Promise<void>;
}

interface BenchDatabase {
  readonly db: Database;
  /** Of the owner of the tables. */
  readonly ownerUrl: string;
  /** Of a role that may do what the product does, and owns nothing. */
  readonly appUrl: string;
}

/** A migrated database on an embedded server of its own. */
export async function startDatabase(endings: Endings, directory: string): Promise<BenchDatabase> {
  const postgres = await startEmbeddedPostgres({
    dataDir: join(directory, "database"),
    log: pino({ level: "silent" }),
  });
  endings.teardown(() => postgres.stop());
  await postgres.ensureDatabase("dockseal");
  const ownerUrl = postgres.url("dockseal");
  const db = openDatabase({ url: ownerUrl, pool: 4, onConnectionError: () => undefined });
  endings.teardown(() => db.destroy());
  await migrate(db);
  await sql`CREATE ROLE bench LOGIN PASSWORD 'bench' IN ROLE dockseal_app`.execute(db);
  return { db, ownerUrl, appUrl: postgres.url("dockseal", { name: "bench", password: "bench" }) };
}

export async function temporaryDirectory(endings: Endings): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-bench-"));
  endings.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** @param profileDir where Node writes a CPU profile of `serve` when it ends. */
export async function startProduct(endings: Endings, profileDir?: string): Promise<Product> {
  const directory = await temporaryDirectory(endings);
  const { db, ownerUrl, appUrl } = await startDatabase(endings, directory);
  const { token, organizationId } = await inTransaction(db, async (tx) => {
    const { id } = await createOrganization(tx, "测量");
    const made = await createStation(tx, { organizationId: id, number: "00000000000000000001", name: "采集站" });
    return { token: made.token, organizationId: id };
  });
  const s3 = await rgw(endings);
  const bucket = newBucket();
  const storeUrl = s3.url(bucket);
  const port = await freePort();
  const environment = {
    DOCKSEAL_DATABASE_URL: appUrl,
    DOCKSEAL_OWNER_DATABASE_URL: ownerUrl,
    DOCKSEAL_QUEUE_URL: ownerUrl,
    DOCKSEAL_STORE_URL: storeUrl,
    DOCKSEAL_KEYS_DIR: join(directory, "keys"),
    DOCKSEAL_SCRATCH_DIR: join(directory, "scratch"),
    DOCKSEAL_RETENTION_DAYS: "1",
    DOCKSEAL_SANDBOX: "limits",
    DOCKSEAL_PORT: String(port),
  };
  const start = async (endings: Endings, args: readonly string[], flags: readonly string[]): Promise<number> => {
    const log = await open(join(directory, `${args[0]}.log`), "a");
    endings.teardown(() => log.close());
    const child = startChild(endings, { script: productScript, args, flags, environment, stderr: log.fd });
    await firstLineOf(child);
    return child.pid;
  };
  const profiling = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
  const pid = await start(endings, ["serve"], [...serveFlags, ...profiling]);
  return {
    ...{ url: `http://127.0.0.1:${port}`, token, pid, s3, bucket, storeUrl, directory, db, organizationId },
    startWorker: async (endings, queues = "hash,timestamp,bind") => {
      await start(endings, ["work", "--queues", queues], []);
    },
  };
}
