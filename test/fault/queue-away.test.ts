import { Redis } from "ioredis";
import t from "tap";
import { impatient, verifyEverything } from "../support/fault.ts";
import { Fleet, newRecording } from "../support/fault-station.ts";
import { heldTable } from "../support/held-table.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const stack = await startStack(t, {
  store: "filesystem",
  queue: "redis",
  variables: { ...impatient, DOCKSEAL_HASH_CONCURRENCY: "1" },
});
const redis = stack.redis;
if (redis === undefined) throw new Error("this stack has a Redis");
const fleet = new Fleet(stack);
const pace = { pieces: 2, gapMs: 10 };

t.test("Redis is away while 10 uploads come in: all are taken, and sealed once it is back", async (t) => {
  await redis.kill9();
  await Promise.all(Array.from({ length: 10 }, () => fleet.push(newRecording(200_000), pace)));
  t.strictSame([...fleet.answers], [[201, 10]], "the queue's absence is nobody's business but ours");
  // Long enough for every step to be overdue: the outbox holds each of them once all the same.
  await until("the steps are overdue", async () => {
    const { rows } = await overdue();
    return rows.length === 10 || undefined;
  });
  const waiting = await stack.db.selectFrom("outbox").select("id").execute();
  t.equal(waiting.length, 10, "a long absence does not pile up rows");
  await redis.restart();
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
});

t.test("FLUSHALL with jobs waiting: the reconciler brings them all back", async (t) => {
  // One job hangs in its transaction, and the others wait behind it, however quick the worker is.
  const letGo = await heldTable(t, stack.db, "seal_manifest");
  await Promise.all(Array.from({ length: 16 }, () => fleet.push(newRecording(200_000), pace)));
  const client = new Redis(redis.url);
  t.teardown(() => client.disconnect());
  await until("all are handed over", async () => {
    const waiting = await stack.db.selectFrom("outbox").select("id").execute();
    return waiting.length === 0;
  });
  t.ok((await client.llen("bull:dockseal-hash:wait")) > 3, "jobs wait in Redis");
  // Asked at once: a moment later the reconciler may have brought the first ones back.
  const [, left] = (await client.multi().flushall().llen("bull:dockseal-hash:wait").exec()) ?? [];
  t.same(left, [null, 0], "they are gone");
  await letGo();
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
  t.match(await stack.work.log(), /overdue steps were queued again/, "by the reconciler");
});

function overdue() {
  const since = new Date(Date.now() - 7_000).toISOString();
  return stack.db
    .selectFrom("clipStep")
    .select("clipId")
    .where("state", "=", "pending")
    .where("touchedAt", "<", since)
    .execute()
    .then((rows) => ({ rows }));
}
