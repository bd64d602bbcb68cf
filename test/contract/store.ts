import { randomUUID } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { Test } from "tap";
import { type EvidenceStore, MemoryBudget, type StoreOptions } from "#store";
import { collected, digestOf, failing, generated, hanging } from "../support/bytes.ts";
import { resumableContract } from "./store-resumable.ts";

const MiB = 1024 * 1024;
const never = new AbortController().signal;

export interface StoreUnderTest {
  /** A new store on the same data at every call, with these options; closed by the caller. */
  open(options?: StoreOptions): Promise<EvidenceStore>;
  /** Bytes that one put of unknown length needs at least. */
  readonly leastBudgetBytes: number;
  /** What the probe must find where the test runs. */
  readonly probe: "write-once" | "not write-once";
}

/** What every adapter of the evidence store promises. */
export function storeContract(t: Test, { open, leastBudgetBytes, probe }: StoreUnderTest): void {
  let store: EvidenceStore;
  t.before(async () => {
    store = await open();
  });
  t.after(async () => store.close());

  const newKey = () => `clips/${randomUUID()}`;
  const put = (sizeBytes: number, key = newKey()) =>
    store.put({ key, body: generated(sizeBytes), sizeBytes, signal: never });
  const nothingLeft = async (test: Test, key: string) => {
    test.same(await collected(store.list(key)), [], "no version is left");
    test.same(await collected(store.listUnfinished(key)), [], "no unfinished upload is left");
  };
  const refused = (test: Test, act: Promise<unknown>, code: string) => test.rejects(act, { code }, `refused: ${code}`);

  resumableContract(t, open);

  t.test("what was put is read back byte for byte, by version", async (test) => {
    for (const sizeBytes of [0, 1, 64 * 1024, 3 * MiB + 17]) {
      const key = newKey();
      const { sha256 } = await digestOf(generated(sizeBytes));
      const written = await store.put({
        key,
        body: generated(sizeBytes),
        sizeBytes,
        sha256,
        contentType: "video/mp4",
        signal: never,
      });
      test.match(written, { key, sizeBytes });
      test.same(await digestOf(await store.get(written)), { sha256, sizeBytes });
      const facts = await store.stat(written);
      test.match(facts, { sizeBytes, retention: undefined, legalHold: false });
      test.ok(Math.abs((facts?.modifiedAt.getTime() ?? 0) - Date.now()) < 60_000, "modified just now");
    }
  });

  t.test("a body of unknown length is written whole, over one part and over several", async (test) => {
    for (const sizeBytes of [0, 1000, 40 * MiB + 5]) {
      const written = await store.put({ key: newKey(), body: generated(sizeBytes), signal: never });
      test.equal(written.sizeBytes, sizeBytes);
      test.same(await digestOf(await store.get(written)), await digestOf(generated(sizeBytes)));
    }
  });

  t.test("a range gives exactly its bytes, both ends included", async (test) => {
    const whole = await buffer(generated(200_000));
    const written = await put(200_000);
    for (const [start, end] of [
      [0, 0],
      [0, 199_999],
      [70_000, 140_000],
      [199_999, 199_999],
    ] as const) {
      const part = await buffer(await store.get(written, { range: { start, end } }));
      test.ok(part.equals(whole.subarray(start, end + 1)), `${start} to ${end}`);
    }
    await refused(test, store.get(written, { range: { start: 200_000, end: 200_001 } }), "range-not-satisfiable");
    await refused(test, store.get(written, { range: { start: 5, end: 4 } }), "range-not-satisfiable");
  });

  t.test("what does not exist is undefined for stat and object-missing for get", async (test) => {
    const written = await put(10);
    for (const ref of [
      { key: newKey(), versionId: written.versionId },
      { key: written.key, versionId: "0".repeat(written.versionId.length) },
    ]) {
      test.equal(await store.stat(ref), undefined);
      await refused(test, store.get(ref), "object-missing");
      await test.resolves(store.remove(ref), "removing what is gone is no error");
    }
  });

  t.test("a key that is not of the port's form reaches nothing", async (test) => {
    for (const key of ["../out", "a/../../out", "/etc/passwd", "", "a//b", "A", "a b", "a/", "x".repeat(300)]) {
      await refused(test, put(1, key), "internal");
    }
  });

  t.test("one byte more or less than announced: length-differs, nothing kept", async (test) => {
    for (const [announced, sent] of [
      [100_000, 99_999],
      [100_000, 100_001],
      [MiB, MiB + 64 * 1024],
      [5, 0],
      [0, 1],
    ] as const) {
      const key = newKey();
      await refused(
        test,
        store.put({ key, body: generated(sent), sizeBytes: announced, signal: never }),
        "length-differs",
      );
      await nothingLeft(test, key);
    }
    const key = newKey();
    const short = store.put({ key, body: generated(20 * MiB), sizeBytes: 21 * MiB, signal: never });
    await refused(test, short, "length-differs");
    await nothingLeft(test, key);
  });

  t.test("a key is used once: a second put is refused and the first stays as it is", async (test) => {
    const first = await put(1000);
    await refused(test, put(1000, first.key), "object-exists");
    test.same(await digestOf(await store.get(first)), await digestOf(generated(1000)));
    test.equal((await collected(store.list(first.key))).length, 1);
  });

  t.test("of two puts at once on one key exactly one is kept, whole", async (test) => {
    for (const sizeBytes of [5000, undefined]) {
      const key = newKey();
      const seeds = [1, 2];
      const outcomes = await Promise.allSettled(
        seeds.map((seed) =>
          store.put({ key, body: generated(5000, seed), ...(sizeBytes ? { sizeBytes } : {}), signal: never }),
        ),
      );
      test.equal(outcomes.filter((outcome) => outcome.status === "fulfilled").length, 1);
      test.equal((await collected(store.list(key))).length, 1);
      for (const [at, outcome] of outcomes.entries()) {
        if (outcome.status === "rejected") test.match(outcome.reason, { code: "object-exists" });
        else test.same(await digestOf(await store.get(outcome.value)), await digestOf(generated(5000, seeds[at])));
      }
    }
  });

  t.test("a source that fails ends the put with its own error, nothing kept", async (test) => {
    for (const sizeBytes of [30 * MiB, undefined]) {
      const key = newKey();
      const body = failing(20 * MiB, new Error("the card was pulled out"));
      await test.rejects(store.put({ key, body, ...(sizeBytes ? { sizeBytes } : {}), signal: never }), {
        message: "the card was pulled out",
      });
      await nothingLeft(test, key);
    }
  });

  t.test("an aborted signal ends the put at once, even when the source hangs, nothing kept", async (test) => {
    for (const sizeBytes of [30 * MiB, undefined]) {
      const key = newKey();
      const controller = new AbortController();
      const reason = new Error("the station hung up");
      const body = hanging(20 * MiB);
      const writing = store.put({ key, body, ...(sizeBytes ? { sizeBytes } : {}), signal: controller.signal });
      setTimeout(() => controller.abort(reason), 300);
      await test.rejects(writing, reason, "nothing else would have ended it");
      await nothingLeft(test, key);
    }
    const body = generated(10);
    await test.rejects(store.put({ key: newKey(), body, sizeBytes: 10, signal: AbortSignal.abort(new Error("no")) }), {
      message: "no",
    });
    test.equal((await body.next()).done, false, "an aborted put reads nothing");
  });

  t.test("a source that gives nothing for too long ends the put", async (test) => {
    const impatient = await open({ timeouts: { sourceIdleMs: 200 } });
    test.teardown(() => impatient.close());
    for (const sizeBytes of [MiB, undefined]) {
      const key = newKey();
      const body = hanging(1000);
      await refused(
        test,
        impatient.put({ key, body, ...(sizeBytes ? { sizeBytes } : {}), signal: never }),
        "upload-stalled",
      );
      await nothingLeft(test, key);
    }
  });

  t.test("without memory to spare a put is refused before it reads a byte, and works once there is", async (test) => {
    const budget = new MemoryBudget(leastBudgetBytes);
    const small = await open({ budget });
    test.teardown(() => small.close());
    const other = budget.tryReserve(leastBudgetBytes);
    const body = generated(1000);
    await refused(test, small.put({ key: newKey(), body, signal: never }), "no-budget");
    other?.release();
    test.equal((await small.put({ key: newKey(), body, signal: never })).sizeBytes, 1000, "no byte had been read");
    test.equal(budget.freeBytes, leastBudgetBytes, "everything is given back");
    await test.rejects(small.put({ key: newKey(), body: failing(10, new Error("x")), signal: never }));
    test.equal(budget.freeBytes, leastBudgetBytes, "after a failure too");
  });

  t.test("a lock is COMPLIANCE, is read back, and can only be extended", async (test) => {
    const written = await put(1000);
    const soon = new Date(Date.now() + 600_000);
    const first = await store.lock(written, soon);
    test.equal(first.mode, "COMPLIANCE");
    test.ok(first.until >= soon && first.until.getTime() < soon.getTime() + 1000, "never before what was asked for");
    const later = new Date(first.until.getTime() + 1000);
    test.same(await store.lock(written, later), { mode: "COMPLIANCE", until: later });
    test.same(await store.lock(written, soon), { mode: "COMPLIANCE", until: later }, "a shorter lock changes nothing");
    test.same((await store.stat(written))?.retention, { mode: "COMPLIANCE", until: later });
    await refused(test, store.remove(written), "object-locked");
    test.same(await store.discard(written.key), { versions: 0, uploads: 0, locked: 1 });
    test.same(await digestOf(await store.get(written)), await digestOf(generated(1000)), "still whole");
  });

  t.test("after its time a lock holds nothing any more", async (test) => {
    const written = await put(1000);
    const { until } = await store.lock(written, new Date(Date.now() + 4500));
    await sleep(until.getTime() - Date.now() + 1100);
    await store.remove(written);
    test.equal(await store.stat(written), undefined, "removed after its time");
  });

  t.test("locks that are set at once leave the longest", async (test) => {
    const written = await put(10);
    const now = Math.ceil(Date.now() / 1000) * 1000;
    await Promise.all([3, 1, 5, 2, 4].map((minutes) => store.lock(written, new Date(now + minutes * 60_000))));
    test.same((await store.stat(written))?.retention?.until, new Date(now + 5 * 60_000));
  });

  t.test("a lock that would hold nothing, or nothing to lock, is an error", async (test) => {
    const written = await put(10);
    await refused(test, store.lock(written, new Date(Date.now() - 5000)), "internal");
    await refused(test, store.lock({ ...written, key: newKey() }, new Date(Date.now() + 5000)), "object-missing");
  });

  t.test("a legal hold keeps a version without an end, until it is lifted", async (test) => {
    const written = await put(10);
    await store.setLegalHold(written, true);
    await store.setLegalHold(written, true);
    test.match(await store.stat(written), { legalHold: true, retention: undefined });
    await refused(test, store.remove(written), "object-locked");
    await store.setLegalHold(written, false);
    test.match(await store.stat(written), { legalHold: false });
    await store.remove(written);
    test.equal(await store.stat(written), undefined);
  });

  t.test("discard removes everything under exactly its key", async (test) => {
    const key = newKey();
    const neighbour = await put(10, `${key}-neighbour`);
    await put(10, key);
    test.same(await store.discard(key), { versions: 1, uploads: 0, locked: 0 });
    test.same(await store.discard(key), { versions: 0, uploads: 0, locked: 0 }, "twice is harmless");
    test.ok(await store.stat(neighbour), "another key is not touched");
  });

  t.test("an upload in progress is listed as unfinished and can be discarded", async (test) => {
    const key = newKey();
    const controller = new AbortController();
    const writing = store.put({ key, body: hanging(40 * MiB), signal: controller.signal });
    writing.catch(() => undefined);
    let found: { key: string; startedAt: Date }[] = [];
    for (let tries = 0; found.length === 0 && tries < 1000; tries++, await sleep(50))
      found = await collected(store.listUnfinished("clips/"));
    test.match(found, [{ key }]);
    test.ok(Math.abs((found[0]?.startedAt.getTime() ?? 0) - Date.now()) < 60_000);
    test.same(await collected(store.list(key)), [], "and not as an object");
    test.match(await store.discard(key), { uploads: 1 });
    controller.abort(new Error("over"));
    await test.rejects(writing);
    await nothingLeft(test, key);
  });

  t.test("list gives each version under the prefix once", async (test) => {
    const folder = `clips/${randomUUID()}`;
    const written = await Promise.all(["a", "b/c", "b/d", "bb"].map((name) => put(10, `${folder}/${name}`)));
    const listed = async (prefix: string) => (await collected(store.list(prefix))).map(({ key }) => key).sort();
    const keys = written.map(({ key }) => key).sort();
    test.same(await listed(folder), keys);
    test.same(await listed(`${folder}/b`), keys.slice(1));
    test.same(await listed(`${folder}/b/`), keys.slice(1, 3));
    test.same(await listed(`${folder}/none`), []);
    const [first] = await collected(store.list(`${folder}/a`));
    test.match(first, { ...written[0], sizeBytes: 10 });
  });

  t.test("a reader that stops early, or is aborted, ends the transfer and nothing else", async (test) => {
    const written = await put(20 * MiB);
    for await (const chunk of await store.get(written)) {
      test.ok(chunk.length > 0);
      break;
    }
    const controller = new AbortController();
    const reading = await store.get(written, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await test.rejects(buffer(reading));
    test.equal((await digestOf(await store.get(written))).sizeBytes, 20 * MiB, "the next reader gets all");
  });

  t.test("a hundred small puts at once all arrive", async (test) => {
    const folder = `clips/${randomUUID()}`;
    const sizes = Array.from({ length: 100 }, (_, at) => 1000 + at);
    const written = await Promise.all(sizes.map((sizeBytes) => put(sizeBytes, `${folder}/${sizeBytes}`)));
    test.same(
      written.map((result) => result.sizeBytes),
      sizes,
    );
    test.equal((await collected(store.list(`${folder}/`))).length, 100);
  });

  t.test("memory stays flat while a large body goes through", async (test) => {
    const sizeBytes = 300 * MiB;
    for (const announced of [sizeBytes, undefined]) {
      const key = newKey();
      const before = process.memoryUsage.rss();
      let peak = before;
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage.rss());
      }, 20);
      test.teardown(() => clearInterval(watch));
      const body = generated(sizeBytes);
      const written = await store.put({ key, body, ...(announced ? { sizeBytes: announced } : {}), signal: never });
      test.equal((await digestOf(await store.get(written))).sizeBytes, sizeBytes);
      clearInterval(watch);
      const grownMiB = Math.round((peak - before) / MiB);
      test.ok(grownMiB < 200, `300 MiB written and read with ${grownMiB} MiB more memory`);
      await store.remove(written);
    }
  });

  t.test("the probe says what was refused, and leaves its canaries alone", async (test) => {
    const writeOnce = probe === "write-once";
    test.match(await store.probeWorm(), { writeOnce, refusedRemoval: writeOnce });
    if (writeOnce) test.match(await store.probeWorm(), { refusedOverwrite: true, refusedShortening: true });
    const canaries = await collected(store.list("worm-probe/"));
    test.equal(new Set(canaries.map(({ key }) => key)).size, canaries.length, "no second version of any canary");
  });

  t.test("ping answers", async (test) => {
    await test.resolves(store.ping());
  });
}
