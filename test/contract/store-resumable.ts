import { randomUUID } from "node:crypto";
import { buffer } from "node:stream/consumers";
import type { Test } from "tap";
import type { EvidenceStore } from "#store";
import { collected, digestOf, generated, newPart } from "../support/bytes.ts";

const MiB = 1024 * 1024;
const never = new AbortController().signal;

/** What every adapter promises of writes that go over several requests and processes. */
export function resumableContract(t: Test, open: () => Promise<EvidenceStore>): void {
  t.test("an object is written part by part, by several processes, and exists only when it is complete", async (t) => {
    const [first, second] = [await open(), await open()];
    t.teardown(() => Promise.all([first.close(), second.close()]));
    const size = Math.max(first.resumable.smallestPartBytes, MiB);
    const whole = await buffer(generated(2 * size + 17));
    const cuts = [whole.subarray(0, size), whole.subarray(size, 2 * size), whole.subarray(2 * size)];
    const key = `clips/${randomUUID()}`;
    const write = { key, writeId: await first.resumable.begin(key) };
    t.same(
      (await collected(first.listUnfinished(key))).map((entry) => entry.key),
      [key],
      "found by its key",
    );
    const parts = [];
    for (const [at, bytes] of cuts.entries()) {
      const store = at % 2 === 0 ? first : second;
      parts.push({ number: at + 1, etag: await store.resumable.writePart(write, newPart(at + 1, bytes), never) });
      t.ok(await second.resumable.holds(write, parts), "what was written is held");
      t.same(await collected(second.list(key)), [], "and is no object yet");
    }
    t.notOk(await first.resumable.holds(write, [{ number: 1, etag: "0".repeat(32) }]), "not with another ETag");
    t.notOk(await first.resumable.holds(write, [...parts, { number: 4, etag: parts[0]?.etag ?? "" }]), "nor more");
    const made = await second.resumable.complete(write, parts, whole.length, never);
    t.match(made, { key, sizeBytes: whole.length });
    t.same(await digestOf(await first.get(made)), await digestOf(generated(whole.length)), "byte for byte");
    t.same(
      await first.resumable.complete(write, parts, whole.length, never),
      made,
      "completed again: the same version",
    );
    t.same(await collected(first.listUnfinished(key)), [], "no unfinished upload is left");
    t.equal((await collected(first.list(key))).length, 1, "and one version");
  });

  t.test("the try of a part that is counted is the last one that was answered", async (t) => {
    const store = await open();
    t.teardown(() => store.close());
    const key = `clips/${randomUUID()}`;
    const write = { key, writeId: await store.resumable.begin(key) };
    const earlier = await store.resumable.writePart(write, newPart(1, Buffer.from("other bytes")), never);
    const etag = await store.resumable.writePart(write, newPart(1, Buffer.from("these bytes")), never);
    t.not(earlier, etag);
    const made = await store.resumable.complete(write, [{ number: 1, etag }], 11, never);
    t.equal((await buffer(await store.get(made))).toString(), "these bytes");
  });

  t.test("a write that is gone is gone: nothing is held, no part is taken, no object is made", async (t) => {
    const store = await open();
    t.teardown(() => store.close());
    const key = `clips/${randomUUID()}`;
    const write = { key, writeId: await store.resumable.begin(key) };
    const part = { number: 1, etag: await store.resumable.writePart(write, newPart(1, Buffer.from("bytes")), never) };
    t.match(await store.discard(key), { uploads: 1, versions: 0, locked: 0 });
    t.notOk(await store.resumable.holds(write, [part]));
    t.notOk(await store.resumable.holds(write, []), "not even nothing of it");
    await t.rejects(store.resumable.writePart(write, newPart(2, Buffer.from("more")), never), { code: "upload-gone" });
    await t.rejects(store.resumable.complete(write, [part], 5, never), { code: "upload-gone" });
    t.same(await collected(store.list(key)), []);
    t.same(await collected(store.listUnfinished(key)), []);
  });
}
