import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { pino } from "pino";
import { type Database, inTransaction, migrate, openDatabase, startEmbeddedPostgres } from "#db";
import { createOrganization, createStation } from "#identity";
import { serveFlags } from "../../src/cli/node-flags.ts";
import { freePort } from "../support/port.ts";
import { newBucket, type Rgw, rgw } from "../support/rgw.ts";
import { firstLineOf, startChild } from "./child.ts";
import type { Endings } from "./endings.ts";

/** What is measured: `dockseal serve` as a process of its own, on PostgreSQL and Ceph RGW. No worker: ingest alone. */
export interface Product {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly s3: Rgw;
  readonly bucket: string;
  readonly storeUrl: string;
  readonly directory: string;
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

export async function startProduct(endings: Endings): Promise<Product> {
  const directory = await temporaryDirectory(endings);
  const { db, ownerUrl, appUrl } = await startDatabase(endings, directory);
  const { token } = await inTransaction(db, async (tx) => {
    const { id } = await createOrganization(tx, "测量");
    return createStation(tx, { organizationId: id, number: "00000000000000000001", name: "采集站" });
  });
  const s3 = await rgw(endings);
  const bucket = newBucket();
  const storeUrl = s3.url(bucket);
  const port = await freePort();
  const log = await open(join(directory, "serve.log"), "a");
  endings.teardown(() => log.close());
  const serve = startChild(endings, {
    script: join(import.meta.dirname, "../../src/cli/dockseal.ts"),
    args: ["serve"],
    flags: serveFlags,
    environment: {
      DOCKSEAL_DATABASE_URL: appUrl,
      DOCKSEAL_OWNER_DATABASE_URL: ownerUrl,
      DOCKSEAL_QUEUE_URL: ownerUrl,
      DOCKSEAL_STORE_URL: storeUrl,
      DOCKSEAL_KEYS_DIR: join(directory, "keys"),
      DOCKSEAL_SCRATCH_DIR: join(directory, "scratch"),
      DOCKSEAL_PORT: String(port),
    },
    stderr: log.fd,
  });
  await firstLineOf(serve);
  return { url: `http://127.0.0.1:${port}`, token, pid: serve.pid, s3, bucket, storeUrl, directory };
}
