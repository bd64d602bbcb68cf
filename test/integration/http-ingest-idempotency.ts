import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Test } from "tap";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { boundary, partHead, RawUpload, Traces } from "../support/refusals.ts";
import { type StackOptions, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

/** The same recording sent again is the same clip, however it is sent again; and many at once are many. */
export async function ingestIdempotency(t: Test, options: StackOptions): Promise<void> {
  t.setTimeout(240_000);
  const stack = await startStack(t, {
    ...options,
    withoutWorker: true,
    variables: {
      DOCKSEAL_DATABASE_POOL: "2",
      DOCKSEAL_STATION_UPLOADS: "128",
      DOCKSEAL_UPLOAD_MEMORY_BYTES: String(512 * 1024 * 1024),
    },
  });
  const { url, party, directory } = stack;
  const traces = await Traces.of(t, stack);
  const newFile = async (name: string, bytes = randomBytes(70_000)) => {
    const path = join(directory, name);
    await writeFile(path, bytes);
    return { path, bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
  };
  const idOf = (answer: { json<T>(): T }) => answer.json<{ id: string }>().id;

  const file = await newFile("one.bin");
  const first = await sendClip(url, party.token, file.path, someMetadata);
  const second = await sendClip(url, party.token, file.path, { ...someMetadata, fileName: "renamed.bin" });
  t.same([first.status, second.status], [201, 200], "sent again");
  t.equal(idOf(second), idOf(first), "it is the clip from then");
  t.match(second.json(), { fileName: someMetadata.fileName }, "which keeps the name that it had");
  const after = await traces.kept();
  t.match(after, { clips: 1, steps: 1, events: 2, intents: 0, unfinished: [] }, "one clip, two events");
  t.equal(after.objects.length, 1, "one object");
  const otherRecorder = await sendClip(url, party.token, file.path, { ...someMetadata, recorderSerial: "REC-0002" });
  t.equal(otherRecorder.status, 201, "the same bytes by another recorder");
  t.not(idOf(otherRecorder), idOf(first), "are another clip");

  const contested = await newFile("contested.bin", randomBytes(2_000_000));
  const before = await traces.kept();
  const rivals = await Promise.all(
    Array.from({ length: 8 }, () =>
      sendClip(url, party.token, contested.path, { ...someMetadata, recorderSerial: "REC-NEW", sizeBytes: 2_000_000 }),
    ),
  );
  t.same(
    rivals.map(({ status }) => status).sort(),
    [200, 200, 200, 200, 200, 200, 200, 201],
    "of eight at once, by a recorder that nobody knew, exactly one is new",
  );
  t.equal(new Set(rivals.map(idOf)).size, 1, "and all are the same clip");
  const now = await traces.kept();
  t.match(now, { clips: before.clips + 1, recorders: before.recorders + 1, intents: 0, unfinished: [] });
  t.equal(now.objects.length, before.objects.length + 1, "one object is left");

  // The length is declared, as it must be where many at once are to fit the memory budget.
  const sized = (sizeBytes: number) => ({ ...someMetadata, sizeBytes });
  const many = await Promise.all(Array.from({ length: 100 }, (_, number) => newFile(`many-${number}.bin`)));
  const sent = await Promise.all(many.map(({ path }) => sendClip(url, party.token, path, sized(70_000))));
  t.ok(
    sent.every(({ status }) => status === 201),
    `a hundred at once, over two database connections, are all taken: ${[...new Set(sent.map((a) => a.status))]}`,
  );
  t.same(
    sent.map((answer) => answer.json<{ sha256: string }>().sha256),
    many.map(({ sha256 }) => sha256),
    "each with its own digest",
  );
  t.equal((await traces.kept()).objects.length, now.objects.length + 100);

  // Twenty uploads in the middle of their bodies: none may hold one of the two connections.
  const reader = await Caller.person(stack, "handler");
  const head = `${partHead({ name: "metadata" })}${JSON.stringify(sized(200_000))}\r\n${partHead({ name: "file", fileName: "s" })}`;
  const end = `\r\n--${boundary}--\r\n`;
  const bodies = Array.from({ length: 20 }, () => randomBytes(200_000));
  const slow = await Promise.all(
    bodies.map(async (body) => {
      const upload = await RawUpload.open(url);
      await upload.begin(party.token, head.length + body.length + end.length);
      await upload.send(head);
      await upload.send(body.subarray(0, 100_000));
      return { upload, body };
    }),
  );
  await until("twenty uploads are in the middle", async () => (await traces.kept()).intents >= slow.length);
  t.equal((await traces.kept()).intents, slow.length, "twenty uploads are in the middle");
  const reads = await Promise.all(Array.from({ length: 20 }, () => reader.call("GET", "/api/v1/clips?limit=5")));
  t.ok(
    reads.every(({ status }) => status === 200),
    "and reads are answered",
  );
  for (const { upload, body } of slow) {
    await upload.send(Buffer.concat([body.subarray(100_000), Buffer.from(end)]));
  }
  for (const { upload, body } of slow) {
    const answer = await upload.answer();
    t.equal(answer?.status, 201, "a slow upload is taken at last");
    t.match(answer?.json(), { sha256: createHash("sha256").update(body).digest("hex") });
    upload.destroy();
  }
  t.match(await traces.kept(), { intents: 0, unfinished: [] }, "and nothing else is left");
}
