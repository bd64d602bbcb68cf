import { pino } from "pino";
import t from "tap";
import { newId, pause } from "#kernel";
import { type Job, openQueue } from "#queue";
import { redis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { queueSuite } from "./queue.ts";

const log = pino({ level: "silent" });

queueSuite(t, async (t) => {
  const server = await redis(t);
  return { url: server.url, stop: server.kill9, start: server.restart };
});

function bind(): Job<"bind"> {
  const clipId = newId();
  return { name: "bind", payload: { v: 1, clipId, traceId: "test" }, jobId: `${clipId}.bind.1` };
}

t.test("Redis emptied in the middle: the worker lives, its job is told to stop, new jobs are done", async (t) => {
  const server = await redis(t);
  const queue = openQueue({ url: server.url, log, lockDurationMs: 4_000 });
  t.teardown(() => queue.close({ deadlineMs: 1_000 }));
  const done: string[] = [];
  const stopped: string[] = [];
  const [long, lost, later] = [bind(), bind(), bind()];
  queue.work("bind", async ({ clipId }, { signal }) => {
    if (clipId === long.payload.clipId) await pause(30_000, signal);
    (signal.aborted ? stopped : done).push(clipId);
  });
  await queue.add(long);
  await until("it runs", async () => (await queue.health()).depth?.bind.active === 1);
  await queue.add(lost);
  await server.flushAll();
  await until("it is told to stop", () => stopped.length === 1);
  t.same(stopped, [long.payload.clipId], "a job whose lock is gone is told to stop");
  await queue.add(later);
  await until("one is done", () => done.length > 0);
  t.same(done, [later.payload.clipId]);
});

t.test("health names the settings of Redis by which jobs could be lost", async (t) => {
  const server = await redis(t, { appendonly: "no", "maxmemory-policy": "allkeys-lru" });
  const queue = openQueue({ url: server.url, log });
  t.teardown(() => queue.close());
  const { ok, backend, problems } = await queue.health();
  t.equal(ok, true);
  t.equal(backend, "redis");
  t.match(problems, [/allkeys-lru/, /appendonly/]);
  t.equal(problems.length, 2);
});

t.test("a URL of another kind is refused", async (t) => {
  t.throws(() => openQueue({ url: "amqp://127.0.0.1", log }), { code: "configuration-invalid" });
});
