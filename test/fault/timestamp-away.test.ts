import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { createTimestampAuthority } from "#evidence";
import { impatient, verifyEverything } from "../support/fault.ts";
import { authorityOn } from "../support/fault-authority.ts";
import { doctorOf } from "../support/fault-doctor.ts";
import { Fleet, newRecording } from "../support/fault-station.ts";
import { freePort } from "../support/port.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

t.test("a timestamp authority that is away, then a wrong one, then the right one", async (t) => {
  const now = new Date(Date.now() - 60_000);
  const right = createTimestampAuthority({ name: "right", now });
  const wrong = createTimestampAuthority({ name: "wrong", now });
  const directory = await mkdtemp(join(tmpdir(), "dockseal-authority-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const roots = join(directory, "roots.pem");
  await writeFile(roots, right.rootPem);
  const port = await freePort();
  const stack = await startStack(t, {
    store: "filesystem",
    queue: "postgres",
    variables: { ...impatient, DOCKSEAL_TSA_URL: `http://127.0.0.1:${port}/tsr`, DOCKSEAL_TSA_ROOTS_FILE: roots },
  });
  const fleet = new Fleet(stack);
  await Promise.all(Array.from({ length: 3 }, () => fleet.push(newRecording(100_000), { pieces: 1, gapMs: 0 })));

  /** What the step says of its last failure, for every clip; they all must still be waiting. */
  const whyWaiting = (what: RegExp) =>
    until(`every clip waits because of ${what}`, async () => {
      const steps = await stack.db
        .selectFrom("clipStep")
        .innerJoin("clip", "clip.id", "clipStep.clipId")
        .select(["clip.state", "clipStep.state as step", "lastError"])
        .where("step", "=", "timestamp")
        .execute();
      const waiting = steps.filter(({ lastError, state, step }) => {
        if (step !== "pending" || state !== "hashed") throw new Error(`${state} ${step} ${lastError}`);
        return what.test(lastError ?? "");
      });
      return waiting.length === 3;
    });

  await whyWaiting(/no answer from 127\.0\.0\.1/);
  const [first] = fleet.acknowledged;
  const receipt = await fetch(`${stack.url}/api/v1/clips/${first?.clipId}/receipt`, {
    headers: { authorization: `Bearer ${stack.party.token}` },
  });
  t.equal(receipt.status, 202, "no receipt without a timestamp");
  // Others may still be at work on it.
  const clip = await clipOf(stack, first?.clipId);
  const pending = clip.pending.find(({ step }) => step === "timestamp");
  t.match(pending, { tries: Number, lastError: /no answer from 127\.0\.0\.1/ });
  t.ok((pending?.tries ?? 0) > 0);
  t.ok(Math.abs(new Date(pending?.since ?? "").getTime() - Date.now()) < 180_000);
  t.match((await doctorOf(stack)).findings.get("steps"), {
    status: "warning",
    detail: /3 × timestamp .*no answer from 127\.0\.0\.1/,
  });

  const authority = await authorityOn(t, port, wrong);
  await whyWaiting(/certificate|root|path/i);
  t.ok(authority.asked > 0, "the wrong authority answered");
  t.match((await doctorOf(stack)).findings.get("steps"), {
    status: "warning",
    detail: /3 × timestamp .*(certificate|root|path)/i,
  });
  // It says so after the database does.
  await until("the log says that its answer was rejected", async () =>
    /timestamp-rejected/.test(await stack.work.log()),
  );
  const timestamps = await stack.db.selectFrom("sealTimestamp").select("clipId").execute();
  t.equal(timestamps.length, 0, "nothing of it was kept");

  authority.use(right);
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged, {
    timestampRoots: [right.rootPem],
  });
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
  t.same((await clipOf(stack, first?.clipId)).pending, [], "nothing is left to do");
});

t.test("where the first authority is away, clips are sealed by the second", async (t) => {
  const keys = createTimestampAuthority({ name: "second", now: new Date(Date.now() - 60_000) });
  const directory = await mkdtemp(join(tmpdir(), "dockseal-authority-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const roots = join(directory, "roots.pem");
  await writeFile(roots, keys.rootPem);
  const [away, port] = [await freePort(), await freePort()];
  const second = await authorityOn(t, port, keys);
  const urls = [away, port].map((at) => `http://127.0.0.1:${at}/tsr`);
  const stack = await startStack(t, {
    store: "filesystem",
    queue: "postgres",
    // no step is overdue in this test: what fails at the first try would stay undone
    variables: { DOCKSEAL_TSA_URL: urls.join(","), DOCKSEAL_TSA_ROOTS_FILE: roots },
  });
  t.match((await doctorOf(stack)).findings.get("timestamps"), {
    status: "warning",
    detail: new RegExp(`${urls[0]}: .*no answer.*; ${urls[1]}: .*CN=second.*valid until`),
  });
  const fleet = new Fleet(stack);
  await fleet.push(newRecording(100_000), { pieces: 1, gapMs: 0 });
  const { differences } = await verifyEverything(stack, fleet.acknowledged, { timestampRoots: [keys.rootPem] });
  t.strictSame(differences, []);
  t.ok(second.asked > 0);
  const step = await stack.db
    .selectFrom("clipStep")
    .innerJoin("sealTimestamp", "sealTimestamp.clipId", "clipStep.clipId")
    .select(["lastError", "authority"])
    .where("step", "=", "timestamp")
    .executeTakeFirstOrThrow();
  t.equal(step.authority, urls[1]);
  t.match(step.lastError, new RegExp(`^passed over ${urls[0]}: .*no answer`));
  t.match(await stack.work.log(), /a timestamp authority was passed over/);
});

/** As the API tells of it. */
async function clipOf(stack: Stack, clipId = "") {
  const headers = { authorization: `Bearer ${stack.party.token}` };
  const answer = await fetch(`${stack.url}/api/v1/clips/${clipId}`, { headers });
  return (await answer.json()) as { pending: { step: string; since: string; tries: number; lastError: string }[] };
}
