import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { pino } from "pino";
import t, { type Test } from "tap";
import { newId, pause } from "#kernel";
import { openQueue } from "#queue";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { until } from "../support/until.ts";
import { queueSuite } from "./queue.ts";

const log = pino({ level: "silent" });

/** One server for the file, which tests stop and start: each test is over before the next begins. */
async function serverFor(file: Test) {
  const dataDir = await mkdtemp(join(tmpdir(), "dockseal-queue-"));
  let running: EmbeddedPostgres | undefined = await startEmbeddedPostgres({ dataDir, log });
  const url = running.url("postgres");
  const lastResort = () => {
    if (running !== undefined) process.kill(running.pid, "SIGQUIT");
  };
  process.once("exit", lastResort);
  const stop = async () => {
    await running?.stop();
    running = undefined;
  };
  const start = async () => {
    running ??= await startEmbeddedPostgres({ dataDir, log });
  };
  file.teardown(async () => {
    await stop();
    process.off("exit", lastResort);
    await rm(dataDir, { recursive: true, force: true });
  });
  return { url, stop, start };
}

const server = serverFor(t);

queueSuite(t, async () => {
  const { url, stop, start } = await server;
  await start();
  return { url, stop, start };
});

t.test("several processes may open a new database at once; what keeps jobs safe is checked", async (t) => {
  const { url, start } = await server;
  await start();
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  t.teardown(() => admin.end());
  await admin.query("create database fresh");
  const there = new URL(url);
  there.pathname = "/fresh";
  const queues = Array.from({ length: 4 }, () => openQueue({ url: there.href, log }));
  t.teardown(() => Promise.all(queues.map((queue) => queue.close())));
  const nothing = { waiting: 0, active: 0, delayed: 0, failed: 0 };
  for (const health of await Promise.all(queues.map((queue) => queue.health()))) {
    t.match(health, { ok: true, backend: "postgres", problems: [], depth: { hash: nothing, bind: nothing } });
  }
  await admin.query("alter database fresh set synchronous_commit = off");
  const careless = openQueue({ url: there.href, log });
  t.teardown(() => careless.close());
  t.match((await careless.health()).problems, [/synchronous_commit/]);
});

t.test("connections that the server cuts off are replaced, and work goes on without waiting", async (t) => {
  const { url, start } = await server;
  await start();
  const queue = openQueue({ url, log, prefix: "cut-off" });
  t.teardown(() => queue.close());
  const done = new Set<string>();
  queue.work("hash", async ({ clipId }) => void done.add(clipId));
  const doOne = async () => {
    const clipId = newId();
    const job = { name: "hash", payload: { v: 1, clipId, traceId: "test" }, jobId: `${clipId}.hash.1` } as const;
    await queue.add(job).catch(() => queue.add(job)); // the first may meet a connection that was cut off
    const from = Date.now();
    await until("it is done", () => done.has(clipId), { everyMs: 5 });
    return Date.now() - from;
  };
  await doOne();
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  t.teardown(() => admin.end());
  await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'",
  );
  await pause(200);
  await doOne();
  const waits: number[] = [];
  for (let each = 0; each < 5; each += 1) waits.push(await doOne());
  // A worker that hears nothing looks every few seconds: then none of them would be done before.
  t.ok(Math.min(...waits) < 1_000, `jobs added later are heard of, not come across (${waits.join(", ")} ms)`);
});
