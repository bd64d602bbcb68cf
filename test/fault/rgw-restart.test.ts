import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { impatient, verifyEverything } from "../support/fault.ts";
import { concurrentUploads, Fleet } from "../support/fault-station.ts";
import { ownRgw } from "../support/rgw.ts";
import { startStack } from "../support/stack.ts";

t.test("the S3 server is killed and started again amid 20 uploads: nothing acknowledged is lost", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-rgw-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const s3 = await ownRgw(t, directory);
  const stack = await startStack(t, { store: "s3", queue: "redis", s3, variables: impatient });
  const fleet = new Fleet(stack);
  const uploads = concurrentUploads(fleet);
  await fleet.reached(6);
  await s3.restart();
  await uploads;
  t.comment(fleet.summary);
  t.ok(fleet.retries > 0, "uploads were refused and sent again");
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
});
