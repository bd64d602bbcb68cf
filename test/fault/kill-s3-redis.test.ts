import t, { type Test } from "tap";
import { impatient, verifyEverything } from "../support/fault.ts";
import { concurrentUploads, Fleet } from "../support/fault-station.ts";
import { testServer } from "../support/postgres.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const postgres = await testServer(t);
await postgres.ensureDatabase("kills");
const stack = await startStack(t, {
  store: "s3",
  queue: "redis",
  databaseUrl: postgres.url("kills"),
  variables: impatient,
});
const redis = stack.redis;
if (redis === undefined) throw new Error("this stack has a Redis");
const fleet = new Fleet(stack);

/** Twenty uploads at once, `kill` when about a third of them is acknowledged, and then everything is verified. */
async function inTheMiddle(t: Test, kill: () => Promise<void>): Promise<void> {
  const before = fleet.acknowledged.length;
  const uploads = concurrentUploads(fleet);
  await fleet.reached(before + 6);
  t.ok(fleet.acknowledged.length < before + 20, "uploads are under way");
  await kill();
  await uploads;
  t.comment(fleet.summary);
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
}

t.test("kill -9 of the API amid 20 uploads: what was answered 201 is sealed, nothing else is left", (t) =>
  inTheMiddle(t, async () => {
    await stack.serve.kill9();
    await stack.serve.start();
  }),
);

t.test("kill -9 of the worker amid 20 uploads: every clip is sealed by the next one", (t) =>
  inTheMiddle(t, async () => {
    await stack.work.kill9();
    await stack.work.start();
  }),
);

t.test("kill -9 of Redis amid 20 uploads, and FLUSHALL after it: the reconciler brings everything back", (t) =>
  inTheMiddle(t, async () => {
    await redis.kill9();
    await redis.restart();
    await redis.flushAll();
  }),
);

t.test("kill -9 of PostgreSQL amid 20 uploads: nothing acknowledged is lost", (t) =>
  inTheMiddle(t, async () => {
    const { pid } = postgres;
    process.kill(pid, "SIGKILL");
    await until("PostgreSQL runs again", () => postgres.pid !== pid);
  }),
);
