import { open } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { openStore } from "#store";
import { forgetPeak, peakRssBytes } from "../bench/measured.ts";
import { type CurlAnswer, sendClip, someMetadata } from "../support/curl.ts";
import { type Stack, startStack } from "../support/stack.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const most = 150 * MiB;

t.test("uploads raise the resident memory of the API by less than 150 MiB", async (t) => {
  const stack = await startStack(t, { store: "s3", queue: "postgres", withoutWorker: true });
  // The first upload of the process: what it loads and compiles counts as well.
  await t.test("2 GiB whose length is known, streamed in one PUT", async (t) => {
    const raised = await raisedBy(stack, () => send(t, stack, 2 * GiB, true));
    t.ok(raised < most, `raised by ${Math.round(raised / MiB)} MiB`);
  });

  await t.test("1 GiB whose length is not known, written in parts", async (t) => {
    const raised = await raisedBy(stack, () => send(t, stack, GiB, false));
    t.ok(raised < most, `raised by ${Math.round(raised / MiB)} MiB`);
  });

  await t.test("eight at once of 128 MiB", async (t) => {
    const raised = await raisedBy(stack, () =>
      Promise.all(Array.from({ length: 8 }, (_, at) => send(t, stack, 128 * MiB + at, true))),
    );
    t.ok(raised < most, `raised by ${Math.round(raised / MiB)} MiB`);
  });
});

/** By how many bytes the highest resident memory during the work exceeds that before it. */
async function raisedBy({ serve }: Stack, work: () => Promise<unknown>): Promise<number> {
  await forgetPeak(serve.pid);
  const before = await serve.residentBytes();
  await work();
  return (await peakRssBytes(serve.pid)) - before;
}

/** Sends a file of zeros that takes no room on the disk, and makes room in the store again. */
async function send(t: Test, stack: Stack, sizeBytes: number, announce: boolean): Promise<void> {
  const path = join(stack.directory, `zeros-${sizeBytes}`);
  const file = await open(path, "w");
  await file.truncate(sizeBytes);
  await file.close();
  const metadata = { ...someMetadata, ...(announce ? { sizeBytes } : {}) };
  const answer = await sendClip(stack.url, stack.party.token, path, metadata);
  t.equal(answer.status, 201, answer.status === 201 ? "taken" : answer.body);
  await removeStored(stack, answer);
}

async function removeStored(stack: Stack, answer: CurlAnswer): Promise<void> {
  const { id } = answer.json<{ id: string }>();
  const { objectKey, versionId } = await stack.db
    .selectFrom("clip")
    .select(["objectKey", "versionId"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  const store = await openStore(stack.environment["DOCKSEAL_STORE_URL"] ?? "");
  await store.remove({ key: objectKey, versionId });
  await store.close();
}
