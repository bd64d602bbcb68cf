import t from "tap";
import { pause } from "#kernel";
import { impatient, verifyEverything } from "../support/fault.ts";
import { commitProxy } from "../support/fault-proxy.ts";
import { Fleet, newRecording } from "../support/fault-station.ts";
import { testServer } from "../support/postgres.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const pace = { pieces: 1, gapMs: 0 };

t.test(
  "every third COMMIT of the product is lost on its way there or back: nothing is lost or done twice",
  async (t) => {
    const proxy = commitProxy(t);
    const stack = await startStack(t, {
      store: "filesystem",
      queue: "redis",
      variables: impatient,
      between: (url) => proxy.through(url),
    });
    const fleet = new Fleet(stack);
    proxy.lossPercent = 35;
    await Promise.all(Array.from({ length: 20 }, (_, at) => fleet.push(newRecording(20_000 + at), pace)));
    // The workers' own transactions go the same way.
    await until(
      "some clips get sealed in spite of it",
      async () => {
        const sealed = await stack.db.selectFrom("clip").select("id").where("state", "=", "sealed").execute();
        return sealed.length >= 10;
      },
      { everyMs: 200 },
    );
    proxy.lossPercent = 0;
    t.comment(fleet.summary, JSON.stringify(proxy.cut));
    t.ok(proxy.cut.before > 3 && proxy.cut.after > 3, "commits were lost both ways");
    const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
    t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
    t.equal(figures.clips, 20, "a recording is one clip, however often it was sent");
  },
);

t.test("PostgreSQL is killed again and again while small uploads commit", async (t) => {
  const postgres = await testServer(t);
  await postgres.ensureDatabase("commits");
  const stack = await startStack(t, {
    store: "filesystem",
    queue: "redis",
    databaseUrl: postgres.url("commits"),
    variables: impatient,
  });
  const fleet = new Fleet(stack);
  const over = new AbortController();
  const senders = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) {
      await fleet.push(newRecording(10_000), pace);
      await pause(100);
    }
  });
  for (let round = 0; round < 3; round += 1) {
    await fleet.reached(fleet.acknowledged.length + 2);
    await pause(Math.random() * 60);
    const { pid } = postgres;
    process.kill(pid, "SIGKILL");
    await until("PostgreSQL runs again", () => postgres.pid !== pid);
  }
  over.abort();
  await Promise.all(senders);
  t.comment(fleet.summary);
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
});
