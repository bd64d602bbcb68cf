import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { createTimestampAuthority } from "#evidence";
import { impatient, verifyEverything } from "../support/fault.ts";
import { authorityOn } from "../support/fault-authority.ts";
import { doctorOf } from "../support/fault-doctor.ts";
import { Fleet, newRecording } from "../support/fault-station.ts";
import { until } from "../support/fault-until.ts";
import { freePort } from "../support/port.ts";
import { startStack } from "../support/stack.ts";

t.test("a timestamp authority that is away, then a wrong one, then the right one", async (t) => {
  t.setTimeout(180_000);
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
  t.match(await stack.work.log(), /timestamp-rejected/, "and the log says that its answer was rejected");
  const timestamps = await stack.db.selectFrom("sealTimestamp").select("clipId").execute();
  t.equal(timestamps.length, 0, "nothing of it was kept");

  authority.use(right);
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged, {
    timestampRoots: [right.rootPem],
  });
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
});
