import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Database, inTransaction, migrate, openDatabase } from "#db";
import { createOrganization, createStation } from "#identity";
import { freePort } from "../support/port.ts";
import { testServer } from "../support/postgres.ts";
import { newBucket, type Rgw, rgw } from "../support/rgw.ts";
import { appRoleUrl, Process } from "../support/stack.ts";
import type { Endings } from "./endings.ts";

/** What is measured: `dockseal serve` as a process of its own, on PostgreSQL and Ceph RGW. No worker: ingest alone. */
export interface Product {
  readonly url: string;
  readonly token: string;
  readonly serve: Process;
  readonly s3: Rgw;
  readonly bucket: string;
  readonly storeUrl: string;
  readonly directory: string;
}

/** A migrated database of its own on an embedded server. */
export async function startDatabase(endings: Endings): Promise<{ db: Database; url: string }> {
  const postgres = await testServer(endings);
  await postgres.ensureDatabase("dockseal");
  const url = postgres.url("dockseal");
  const db = openDatabase({ url, pool: 4, onConnectionError: () => undefined });
  endings.teardown(() => db.destroy());
  await migrate(db);
  return { db, url };
}

export async function startProduct(endings: Endings): Promise<Product> {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-bench-"));
  endings.teardown(() => rm(directory, { recursive: true, force: true }));
  await mkdir(join(directory, "logs"));
  const { db, url } = await startDatabase(endings);
  const { token } = await inTransaction(db, async (tx) => {
    const { id } = await createOrganization(tx, "测量");
    return createStation(tx, { organizationId: id, number: "00000000000000000001", name: "采集站" });
  });
  const s3 = await rgw(endings);
  const bucket = newBucket();
  const storeUrl = s3.url(bucket);
  const port = await freePort();
  const environment = {
    DOCKSEAL_DATABASE_URL: await appRoleUrl(db, url),
    DOCKSEAL_OWNER_DATABASE_URL: url,
    DOCKSEAL_QUEUE_URL: url,
    DOCKSEAL_STORE_URL: storeUrl,
    DOCKSEAL_KEYS_DIR: join(directory, "keys"),
    DOCKSEAL_SCRATCH_DIR: join(directory, "scratch"),
    DOCKSEAL_PORT: String(port),
  };
  const serve = new Process("serve", environment, directory);
  endings.teardown(() => serve.stop());
  await serve.start();
  return { url: `http://127.0.0.1:${port}`, token, serve, s3, bucket, storeUrl, directory };
}
