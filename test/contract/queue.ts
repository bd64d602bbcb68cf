import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Queue as BullQueue, createPostgresBackend } from "bullmq";
import pg from "pg";
import { pino } from "pino";
import type { Test } from "tap";
import { DocksealError, newId, pause } from "#kernel";
import { type Job, type JobName, type JobPayload, jobNames, openQueue, type Queue, type QueueOptions } from "#queue";
import { until } from "../support/until.ts";

/** A server that the suite may stop and start. */
export interface QueueServer {
  readonly url: string;
  stop(): Promise<void>;
  start(): Promise<void>;
}

const log = pino({ level: "silent" });

type ClipJob = Exclude<JobName, "export">;

function job<N extends ClipJob>(name: N, clipId = newId(), jobId = `${clipId}.${name}.1`) {
  return { name, payload: { v: 1 as const, clipId, traceId: "test" }, jobId };
}

/** What every backend of the queue promises. */
export function queueSuite(t: Test, server: (t: Test) => Promise<QueueServer>): void {
  async function setUp(t: Test, options: Partial<QueueOptions> = {}) {
    const prefix = `test-${randomBytes(4).toString("hex")}`;
    const { url, stop, start } = await server(t);
    const open = (more: Partial<QueueOptions> = {}): Queue => {
      const queue = openQueue({ url, log, prefix, lockDurationMs: 1_000, retryDelayMs: 50, ...options, ...more });
      t.teardown(() => queue.close({ deadlineMs: 1_000 }));
      return queue;
    };
    return { queue: open(), open, prefix, url, stop, start };
  }

  t.test("a job of each kind is done by its handler, with the payload that was added", async (t) => {
    const { queue } = await setUp(t);
    const done = new Map<JobName, JobPayload>();
    const handler = (name: JobName) => async (payload: JobPayload) => void done.set(name, payload);
    queue.startAll({
      hash: handler("hash"),
      timestamp: handler("timestamp"),
      transcode: handler("transcode"),
      bind: handler("bind"),
      export: handler("export"),
    });
    const exportId = newId();
    const jobs: Job[] = [
      ...(["hash", "timestamp", "transcode", "bind"] as const).map((name) => job(name)),
      { name: "export", payload: { v: 1, exportId, traceId: "test" }, jobId: `${exportId}.export.1` },
    ];
    await queue.addBulk(jobs);
    await until("each kind is done", () => done.size === jobNames.length);
    for (const { name, payload } of jobs) t.same(done.get(name), payload, name);
  });

  t.test("start fails unless each kind of job has exactly one handler", async (t) => {
    const { queue } = await setUp(t);
    const handler = async () => undefined;
    t.throws(() => queue.startAll({ hash: handler }), {
      code: "configuration-invalid",
      message: /timestamp has no handler/,
    });
    t.throws(() => queue.startAll({ hash: handler }, { queues: ["hash", "nonsense"] }), { message: /no job nonsense/ });
    queue.startAll({ hash: handler }, { queues: ["hash"] });
    t.throws(() => queue.work("hash", handler), { code: "configuration-invalid", message: /two handlers/ });
  });

  t.test("a payload with a missing, wrong or unknown field is refused where it is added", async (t) => {
    const { queue } = await setUp(t);
    const { payload, jobId } = job("hash");
    const { traceId, ...incomplete } = payload;
    t.ok(traceId);
    for (const wrong of [
      { ...payload, v: 2 },
      { ...payload, clipId: "x" },
      { ...payload, legalHold: true },
      incomplete,
    ]) {
      const bad = { name: "hash", payload: wrong, jobId } as Job;
      await t.rejects(queue.add(bad), { code: "internal" }, JSON.stringify(wrong));
    }
    await t.rejects(queue.add({ name: "nonsense", payload, jobId } as unknown as Job), { code: "internal" });
    await t.rejects(queue.add({ name: "hash", payload, jobId: "17" }), { code: "internal" });
  });

  t.test("a payload that does not fit where it is taken fails for good, and the next job is done", async (t) => {
    const outcomes: string[] = [];
    const { queue, prefix, url } = await setUp(t, {
      onOutcome: (name, outcome) => outcomes.push(`${name} ${outcome}`),
    });
    await queue.health(); // the tables exist
    const pool = new pg.Pool({ connectionString: url, options: "-c search_path=bullmq" });
    const foreign = url.startsWith("postgres")
      ? new BullQueue(`${prefix}-hash`, { connection: pool }, createPostgresBackend)
      : new BullQueue(`${prefix}-hash`, { connection: { url } });
    t.teardown(() => foreign.close().then(() => pool.end()));
    const good = job("hash");
    await foreign.add("hash", { ...good.payload, extra: 1 }, { attempts: 5, removeOnFail: true });
    await foreign.add("other", good.payload, { attempts: 5, removeOnFail: true });
    await queue.add(good);
    const seen: string[] = [];
    queue.work("hash", async (payload) => void seen.push(payload.clipId));
    await until("all three are dealt with", () => outcomes.length === 3);
    t.same(outcomes.sort(), ["hash done", "hash failed", "hash failed"]);
    t.same(seen, [good.payload.clipId], "the handler saw the good one alone");
    t.equal((await queue.health()).depth?.hash.failed, 2);
  });

  t.test("a job that fails is tried again with growing pauses, and given up after the last try", async (t) => {
    const { queue } = await setUp(t, { attempts: 3, retryDelayMs: 100 });
    const tries: { attempt: number; at: number }[] = [];
    queue.work("hash", async (_, { attempt }) => {
      tries.push({ attempt, at: Date.now() });
      throw new Error("the handler's fault");
    });
    await queue.add(job("hash"));
    await until("the job is given up", async () => (await queue.health()).depth?.hash.failed === 1);
    t.same(
      tries.map((one) => one.attempt),
      [1, 2, 3],
    );
    const pauses = tries.slice(1).map((one, index) => one.at - (tries[index]?.at ?? 0));
    t.ok((pauses[0] ?? 0) >= 45, `first pause ${pauses[0]} ms, 50 at least`);
    t.ok((pauses[1] ?? 0) >= 95, `second pause ${pauses[1]} ms, 100 at least`);
    const depth = (await queue.health()).depth?.hash;
    t.same(depth, { waiting: 0, active: 0, delayed: 0, failed: 1 }, "a job given up is not kept");
  });

  t.test("an id that was used is no obstacle: done or given up, the job runs again", async (t) => {
    const { queue } = await setUp(t, { attempts: 1 });
    const runs: string[] = [];
    queue.work("hash", async ({ clipId }) => {
      runs.push(clipId);
      if (clipId === fails.payload.clipId) throw new Error("the handler's fault");
    });
    const [succeeds, fails] = [job("hash"), job("hash")];
    for (let round = 1; round <= 3; round++) {
      await queue.addBulk([succeeds, fails]);
      await until(`round ${round} is run`, () => runs.length === 2 * round);
      await until(`round ${round} is over`, async () => (await queue.health()).depth?.hash.active === 0);
    }
    t.equal(runs.filter((clipId) => clipId === fails.payload.clipId).length, 3);
  });

  t.test("while a job waits, its id is not added twice", async (t) => {
    const { queue } = await setUp(t);
    const once = job("hash");
    await queue.add(once);
    await queue.addBulk([once, once]);
    t.equal((await queue.health()).depth?.hash.waiting, 1);
  });

  t.test("a thousand jobs added at once are all done, no more at a time than asked for", async (t) => {
    const { queue } = await setUp(t, { lockDurationMs: 30_000 });
    const jobs = Array.from({ length: 1_000 }, () => job("bind"));
    const [done, running] = [new Set<string>(), { now: 0, most: 0 }];
    queue.work(
      "bind",
      async ({ clipId }) => {
        running.most = Math.max(running.most, ++running.now);
        await pause(1);
        running.now--;
        done.add(clipId);
      },
      { concurrency: 4 },
    );
    await queue.addBulk(jobs);
    await until("all are done", () => done.size === jobs.length);
    t.equal(running.most, 4);
  });

  t.test("a job longer than the lock is not done twice while its worker lives", async (t) => {
    // A process that gets no processor for half of that time loses its lock rightly.
    const { open, queue } = await setUp(t, { lockDurationMs: 4_000 });
    const other = open();
    let runs = 0;
    const handler = async () => {
      runs++;
      await pause(10_000);
    };
    queue.work("transcode", handler);
    other.work("transcode", handler);
    await queue.add(job("transcode"));
    await until("it runs", async () => (await queue.health()).depth?.transcode.active === 1);
    await until("it is done", async () => (await queue.health()).depth?.transcode.active === 0);
    t.equal(runs, 1);
  });

  t.test("the job of a worker process that was killed is done by another", async (t) => {
    const { queue, url, prefix } = await setUp(t);
    const one = job("hash");
    await queue.add(one);
    const script = fileURLToPath(new URL("./queue-child.ts", import.meta.url));
    const child = spawn(process.execPath, [script, url, prefix], { stdio: ["ignore", "pipe", "inherit"], env: {} });
    t.teardown(() => child.kill("SIGKILL"));
    const [line] = await once(child.stdout, "data");
    t.equal(String(line).trim(), one.payload.clipId, "the child has the job");
    child.kill("SIGKILL");
    await once(child, "exit");
    const seen: string[] = [];
    queue.work("hash", async ({ clipId }) => void seen.push(clipId));
    await until("the job is done again", () => seen.length > 0);
    t.same(seen, [one.payload.clipId]);
  });

  t.test(
    "close aborts what runs and puts it back unharmed; a handler that does not listen is left behind in time",
    async (t) => {
      const { queue, open } = await setUp(t, { lockDurationMs: 2_000 });
      const [polite, deaf] = [job("hash"), job("timestamp")];
      let aborted: unknown;
      queue.work("hash", async (_, { signal }) => {
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }).catch((reason) => {
          aborted = reason;
          throw reason;
        });
      });
      queue.work("timestamp", () => new Promise<void>(() => undefined));
      await queue.addBulk([polite, deaf]);
      await until("both run", async () => {
        const { depth } = await queue.health();
        return depth?.hash.active === 1 && depth.timestamp.active === 1;
      });
      await queue.close({ deadlineMs: 700 }); // ends, though one handler never does
      t.ok(aborted instanceof DocksealError && aborted.code === "shutting-down");
      await t.rejects(queue.add(polite), { code: "queue-unavailable" });

      const next = open();
      t.match((await next.health()).depth, { hash: { waiting: 1, active: 0 } }, "put back at once, not after its lock");
      const attempts: [string, number][] = [];
      const handler = async ({ clipId }: JobPayload<ClipJob>, { attempt }: { attempt: number }) =>
        void attempts.push([clipId, attempt]);
      next.work("hash", handler);
      await until("the one put back is done", () => attempts.length === 1);
      next.work("timestamp", handler);
      await until("the one left behind is done after its lock", () => attempts.length === 2);
      t.same(
        attempts,
        [
          [polite.payload.clipId, 1],
          [deaf.payload.clipId, 1],
        ],
        "being interrupted costs no try",
      );
    },
  );

  t.test("while the server is away add fails fast and health says so; work goes on once it is back", async (t) => {
    const { queue, open, stop, start } = await setUp(t);
    const done = new Set<string>();
    queue.work("hash", async ({ clipId }) => void done.add(clipId));
    const before = job("hash");
    await queue.add(before);
    await until("work is under way", () => done.has(before.payload.clipId));
    t.match(await queue.health(), { ok: true, problems: [] });
    await stop();
    const late = open();
    late.work("bind", async ({ clipId }) => void done.add(clipId));
    for (const producer of [queue, queue, late]) {
      await t.rejects(producer.add(job("hash")), { code: "queue-unavailable" }, "and does not wait for the server");
    }
    const health = await queue.health();
    t.notOk(health.ok);
    t.equal(health.problems.length, 1);
    t.equal(health.depth, undefined);
    await start();
    const after = [job("hash"), job("bind")];
    await until("jobs can be added again", () => queue.addBulk(after).then(() => true));
    await until("they are done, also by one opened meanwhile", () =>
      after.every(({ payload }) => done.has(payload.clipId)),
    );
  });

  t.test("close ends also while the server is away, and was never there", async (t) => {
    const { queue, open, stop } = await setUp(t);
    queue.work("hash", (_, { signal }) => pause(60_000, signal));
    await queue.add(job("hash"));
    await until("it runs", async () => (await queue.health()).depth?.hash.active === 1);
    await stop();
    const late = open();
    late.work("bind", async () => undefined);
    await t.rejects(late.add(job("bind")), { code: "queue-unavailable" });
    await Promise.all([queue.close({ deadlineMs: 1_000 }), late.close({ deadlineMs: 1_000 })]);
  });
}
