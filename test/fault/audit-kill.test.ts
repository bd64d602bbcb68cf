import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { openStore } from "#store";
import { impatient, verifyEverything } from "../support/fault.ts";
import { Fleet, newRecording } from "../support/fault-station.ts";
import { signIn } from "../support/people.ts";
import { Process, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const directory = await mkdtemp(join(tmpdir(), "dockseal-replica-"));
t.teardown(() => rm(directory, { recursive: true, force: true }));
const replicaUrl = `file://${directory}/replica?immutable=0`;
const stack = await startStack(t, {
  store: "filesystem",
  queue: "postgres",
  // Slow enough to be killed in the middle.
  variables: { ...impatient, DOCKSEAL_AUDIT_MIB_PER_SECOND: "1", DOCKSEAL_REPLICA_URL: replicaUrl },
});
const count = 5;

interface Run {
  readonly id: string;
  readonly state: string;
  readonly expectedCount: number;
  readonly readCount: number;
}

t.test("an audit whose worker is killed in the middle goes on in others, and reads nothing twice", async (t) => {
  const fleet = new Fleet(stack);
  for (let n = 0; n < count; n += 1) await fleet.push(newRecording(1_500_000), { pieces: 1, gapMs: 0 });
  await until("all are sealed and in the log", async () => {
    // In this order: what seals a clip also leaves an event that waits for its place in the log.
    const clips = await stack.db.selectFrom("clip").select("state").execute();
    const waiting = await stack.db.selectFrom("custodyPending").select("eventId").execute();
    return clips.length === count && clips.every(({ state }) => state === "sealed") && waiting.length === 0;
  });
  const auditor = await signIn(stack, "auditor");
  const { id, expectedCount } = await auditor.post<Run>("/api/v1/audits", {});
  t.equal(expectedCount, count);
  const run = () => auditor.get<Run>(`/api/v1/audits/${id}`);
  await until("some are read", async () => (await run()).readCount > 0, { everyMs: 20 });
  await stack.work.kill9();
  const killed = await run();
  t.equal(killed.state, "running");
  t.ok(killed.readCount < count, `${killed.readCount} of ${count} were read when it was killed`);
  const second = new Process("work", stack.environment, stack.directory);
  t.teardown(() => second.stop());
  await Promise.all([stack.work.start(), second.start()]);
  await until("it is over", async () => (await run()).state !== "running");
  t.match(await run(), { state: "finished", readCount: count, intactCount: count, unreadableCount: 0, faults: [] });
  const events = await stack.db
    .selectFrom("custodyEvent")
    .select("clipId")
    .where("type", "=", "clip.fixity-checked")
    .execute();
  t.equal(events.length, count, "one event an object");
  t.equal(new Set(events.map(({ clipId }) => clipId)).size, count);

  await until("the replica is complete", async () => {
    const copies = await stack.db.selectFrom("replicaCopy").select("clipId").execute();
    return copies.length === count;
  });
  const replica = await openStore(replicaUrl);
  t.teardown(() => replica.close());
  const stored: string[] = [];
  for await (const { key } of replica.list("originals/")) stored.push(key);
  const copies = await stack.db.selectFrom("replicaCopy").select("objectKey").execute();
  t.same(stored.sort(), copies.map(({ objectKey }) => objectKey).sort(), "one copy a clip, and nothing left behind");
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
});
