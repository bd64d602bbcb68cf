import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { pino } from "pino";
import type { Test } from "tap";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";

export interface TestDatabase {
  /** Superuser's URL of a fresh, empty database. */
  readonly url: string;
  /** Removes the database and cuts off whoever uses it. Done by itself at the end of the test. */
  drop(): Promise<void>;
}

let server: Promise<string> | undefined;

/**
 * A database for one test. It is on the server named by DOCKSEAL_TEST_POSTGRES (a superuser's URL), else on one that
 * is started for this test process and ends with it.
 */
export async function testDatabase(test: Pick<Test, "teardown">): Promise<TestDatabase> {
  server ??= startServer();
  const superuserUrl = await server;
  const name = `test_${randomBytes(8).toString("hex")}`;
  await onServer(superuserUrl, `create database ${name} template template0`);
  const drop = () => dropDatabase(superuserUrl, name);
  test.teardown(drop);
  const url = new URL(superuserUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop };
}

/** A copy of a database as it is now, which nobody may be using: what a restored backup is. */
export async function copyOfDatabase(test: Pick<Test, "teardown">, url: string): Promise<string> {
  const copy = await testDatabase(test);
  const [from, to] = [url, copy.url].map((text) => new URL(text).pathname.slice(1));
  const { href } = Object.assign(new URL(url), { pathname: "/postgres" });
  await copy.drop();
  await onServer(href, `create database ${to} template ${from}`);
  return copy.url;
}

/** An embedded server of the test's own, which the test may kill. It ends with the test. */
export async function testServer(test: Pick<Test, "teardown">, dataDir?: string): Promise<EmbeddedPostgres> {
  const dir = dataDir ?? (await mkdtemp(join(tmpdir(), "dockseal-postgres-")));
  const embedded = await startEmbeddedPostgres({ dataDir: dir, log: pino({ level: "silent" }) });
  // A test that runs out of time is ended by a signal, and its teardown never runs.
  const lastResort = () => {
    process.kill(embedded.pid, "SIGQUIT");
  };
  process.once("exit", lastResort);
  test.teardown(async () => {
    await embedded.stop();
    process.off("exit", lastResort);
    if (dataDir === undefined) await rm(dir, { recursive: true, force: true });
  });
  return embedded;
}

async function startServer(): Promise<string> {
  const given = process.env["DOCKSEAL_TEST_POSTGRES"];
  if (given !== undefined) return given;
  // Teardown of the whole file, not of the test that happened to come first. Loaded here: whoever loads tap is a test.
  const { default: t } = await import("tap");
  return (await testServer(t)).superuserUrl;
}

/** `force` ends the sessions, and waits five seconds for them: on a server that has much to do they may end later. */
async function dropDatabase(superuserUrl: string, name: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await onServer(superuserUrl, `drop database if exists ${name} with (force)`);
    } catch (error) {
      const inUse = error instanceof pg.DatabaseError && error.code === "55006"; // object_in_use
      if (!inUse || tries === 12) throw error;
    }
  }
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 60_000 });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
