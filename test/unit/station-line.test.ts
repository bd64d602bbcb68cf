import t from "tap";
import { Bandwidth } from "../../src/station/bandwidth.ts";
import { barText, ProgressBar } from "../../src/station/progress.ts";

const MiB = 1024 * 1024;
const never = new AbortController().signal;

async function all(pieces: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const list: Buffer[] = [];
  for await (const piece of pieces) list.push(piece);
  return list;
}

t.test("a progress bar tells share, amount and speed, and never more than the whole", async (t) => {
  t.equal(barText(0, 4 * MiB, 0), `[${".".repeat(30)}] 0 %  0.0 MiB of 4.0 MiB  0.0 MiB/s`);
  t.equal(barText(MiB, 4 * MiB, 2), `[${"#".repeat(8)}${".".repeat(22)}] 25 %  1.0 MiB of 4.0 MiB  0.5 MiB/s`);
  t.match(barText(5 * MiB, 4 * MiB, 1), /^\[#{30}\] 100 % {2}4\.0 MiB of 4\.0 MiB/, "bytes that went twice");
  t.equal(barText(3 * MiB, undefined, 2), "3.0 MiB  1.5 MiB/s", "nobody knows how much will come");
});

t.test("a bar is written over itself, and gives way to a line", async (t) => {
  const written: string[] = [];
  let now = 1000;
  const bar = new ProgressBar(
    (text) => written.push(text),
    10,
    () => now,
  );
  bar.clear();
  t.same(written, [], "there is nothing to clear yet");
  bar.add(5);
  now += 100;
  bar.add(1);
  bar.clear();
  t.equal(written.length, 2, "drawn now and then, not for every piece");
  t.ok(written[0]?.startsWith(`\r\u001b[K[${"#".repeat(15)}${".".repeat(15)}] 50 %`));
  t.equal(written[1], "\r\u001b[K");
  now += 100;
  bar.add(1);
  t.match(written[2], "] 70 %", "now and then again");
});

t.test("uploads at once share the bandwidth, and no byte of them is lost", async (t) => {
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));
  const cap = new Bandwidth(4_000_000);
  const begun = performance.now();
  const sent = await Promise.all([1, 2].map(async () => Buffer.concat(await all(cap.paced(bytes, never)))));
  // The first piece goes at once; timers may fire a millisecond early.
  const earliestMs = (400_000 - 64 * 1024) / 4000 - 10;
  t.ok(performance.now() - begun >= earliestMs, "the two together are no faster than the cap");
  for (const got of sent) t.ok(got.equals(bytes));
});

t.test("without a cap bytes go as they are, and who waits for a turn can be told to stop", async (t) => {
  const bytes = Buffer.alloc(200_000, 1);
  const pieces = await all(new Bandwidth(undefined).paced(bytes, never));
  t.equal(pieces.length, 1);
  t.equal(pieces[0], bytes, "and are not copied");
  const stop = new AbortController();
  const slow = new Bandwidth(1000).paced(bytes, stop.signal);
  await slow.next();
  const waiting = slow.next();
  stop.abort(new Error("the station stops"));
  await t.rejects(waiting, { message: "the station stops" });
});
