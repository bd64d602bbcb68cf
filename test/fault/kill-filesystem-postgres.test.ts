import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { impatient, verifyEverything } from "../support/fault.ts";
import { concurrentUploads, Fleet, newRecording } from "../support/fault-station.ts";
import { Process, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const stack = await startStack(t, {
  store: "filesystem",
  queue: "postgres",
  variables: { ...impatient, DOCKSEAL_SHUTDOWN_SECONDS: "8" },
});
const fleet = new Fleet(stack);

t.test("kill -9 of the worker amid 20 uploads, with the queue on PostgreSQL: every clip is sealed", async (t) => {
  const uploads = concurrentUploads(fleet);
  await fleet.reached(6);
  await stack.work.kill9();
  await stack.work.start();
  await uploads;
  t.comment(fleet.summary);
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
});

t.test("SIGTERM amid uploads: short ones end well, long ones are ended cleanly, nothing is left behind", async (t) => {
  const before = fleet.acknowledged.length;
  const answered = new Map(fleet.answers);
  // The short ones end after the signal, however long it takes until all have begun; the long ones never would.
  const stopping = Promise.withResolvers<void>();
  const { promise: held } = stopping;
  const short = Array.from({ length: 6 }, () => fleet.once(newRecording(500_000), { pieces: 10, gapMs: 20, held }));
  const long = Array.from({ length: 6 }, () => fleet.once(newRecording(3_000_000), { pieces: 3_000, gapMs: 250 }));
  // The worker's copies of checkpoints have intents as well.
  const intents = () =>
    stack.db.selectFrom("storeIntent").select("objectKey").where("purpose", "=", "original").execute();
  await until("all uploads are under way", async () => (await intents()).length >= 12);
  const stopped = stack.serve.stop();
  stopping.resolve();
  await stopped;
  await Promise.all([...short, ...long]);
  t.equal((await intents()).length, 0, "the stopping process cleaned up after itself: nothing is left to the sweeper");
  const taken = fleet.acknowledged.length - before;
  const refused = (fleet.answers.get(503) ?? 0) - (answered.get(503) ?? 0);
  t.strictSame({ taken, refused }, { taken: 6, refused: 6 }, "each upload got an answer: 201, or 503 to send it again");
  t.match(await stack.serve.log(), /"stopped"/, "and the process ended by itself");
  await stack.serve.start();
  const { differences } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], "no difference");
});

t.test("SIGTERM of a worker at work: its jobs go back at once and are done by the next", async (t) => {
  await Promise.all(Array.from({ length: 8 }, () => fleet.push(newRecording(2_000_000), { pieces: 1, gapMs: 0 })));
  await stack.work.stop();
  t.match(await stack.work.log(), /"stopped"/, "the worker ended by itself");
  await stack.work.start();
  const { differences } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], "no difference");
});

t.test("kill -9 of the API at 8 random moments of small uploads", async (t) => {
  const sending: Promise<unknown>[] = [];
  for (let round = 0; round < 8; round += 1) {
    for (let at = 0; at < 3; at += 1) {
      const recording = newRecording(150_000 + at, { lengthKnown: at !== 2 });
      sending.push(fleet.push(recording, { pieces: 3, gapMs: 20 * at }));
    }
    await sleep(Math.random() * 250); // the random moment is the point
    await stack.serve.kill9();
    await stack.serve.start();
  }
  await Promise.all(sending);
  t.comment(fleet.summary);
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
});

t.test("the same job many times, and two workers at once, change nothing", async (t) => {
  const second = new Process("work", stack.environment, stack.directory);
  t.teardown(() => second.stop());
  await second.start();
  await Promise.all(Array.from({ length: 6 }, () => fleet.push(newRecording(300_000), { pieces: 1, gapMs: 0 })));
  for (let again = 0; again < 4; again += 1) await everyJobAgain(1000 + again * 10);
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
  const manifests = await stack.db.selectFrom("sealManifest").select("clipId").execute();
  const timestamps = await stack.db.selectFrom("sealTimestamp").select("clipId").execute();
  t.equal(manifests.length, figures.clips, "one manifest a clip");
  t.equal(timestamps.length, figures.clips, "one timestamp a clip");
});

/** Puts every step of the newest clips before the workers once more, done or not. */
async function everyJobAgain(generation: number): Promise<void> {
  const steps = await stack.db
    .selectFrom("clipStep")
    .innerJoin("clip", "clip.id", "clipStep.clipId")
    .select(["clipId", "step"])
    .orderBy("clip.receivedAt", "desc")
    .limit(24)
    .execute();
  const rows = steps.map((row, at) => ({ ...row, generation: generation + at, traceId: "again" }));
  await stack.db.insertInto("outbox").values(rows).execute();
  await until("they are handed over", async () => {
    const waiting = await stack.db.selectFrom("outbox").select("id").execute();
    return waiting.length === 0;
  });
}
