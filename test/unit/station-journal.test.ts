import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type FileKey, Journal, keyOf } from "../../src/station/journal.ts";

const file: FileKey = {
  recorderSerial: "R",
  path: "DCIM/a.mp4",
  sizeBytes: 5,
  modifiedNs: "1763710200000000000",
  prefix: "p",
};
const facts = { sizeBytes: 5, sha256: "a", sm3: "b", chunkRoot: "c", chunkCount: 1 };

async function stateDir(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-journal-"));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

t.test("another recorder, path, size, time or content is another file", async (t) => {
  const others = [
    { recorderSerial: "S" },
    { path: "a.mp4" },
    { sizeBytes: 6 },
    { modifiedNs: "1763710200000000001" },
    { prefix: "q" },
  ];
  t.equal(new Set([file, ...others.map((other) => ({ ...file, ...other }))].map(keyOf)).size, 6);
  t.equal(keyOf({ ...file }), keyOf(file));
});

t.test("a journal that was cut anywhere gives every step before the cut, and goes on", async (t) => {
  const whole = await stateDir(t);
  const journal = await Journal.open(whole);
  await journal.note("k", { file, upload: "u" });
  await journal.note("k", { upload: null, sent: { clipId: "c", facts } });
  await journal.note("k", { wiping: "2026-11-21T09:30:00.000Z" });
  const last = journal.get("k");
  await journal.close();
  const text = await readFile(join(whole, "journal.jsonl"));
  const ends = [...text.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1);
  t.equal(ends.length, 3, "a line a step");
  const cuts = new Set(ends.flatMap((end) => [end - 2, end - 1, end, end + 1]));
  for (let cut = 0; cut <= text.length; cut += 37) cuts.add(cut);
  for (const cut of [...cuts].filter((at) => at <= text.length)) {
    const directory = await stateDir(t);
    await writeFile(join(directory, "journal.jsonl"), text.subarray(0, cut));
    const again = await Journal.open(directory);
    const steps = ends.filter((end) => end <= cut).length;
    const entry = again.get("k");
    const found = [entry?.file, entry?.sent, entry?.wiping].filter((member) => member !== undefined).length;
    if (found !== steps || again.damagedLines !== 0) t.fail(`cut at ${cut}: ${found} steps instead of ${steps}`);
    await again.note("next", { file });
    await again.close();
    const third = await Journal.open(directory);
    if (third.get("next") === undefined) t.fail(`cut at ${cut}: a later step is lost`);
    if (steps === 3) t.strictSame(third.get("k"), last);
    await third.close();
  }
});

t.test("a line that a disk damaged is skipped and counted, and the others hold", async (t) => {
  const directory = await stateDir(t);
  const journal = await Journal.open(directory);
  await journal.note("a", { file });
  await journal.close();
  await appendFile(join(directory, "journal.jsonl"), `\0\0\0\0\n{"key":7}\n${JSON.stringify({ key: "b", file })}\n`);
  const again = await Journal.open(directory);
  t.equal(again.damagedLines, 2);
  t.ok(again.get("a") && again.get("b"));
  await again.close();
});

t.test("what is over is forgotten, at once and in the next run", async (t) => {
  const directory = await stateDir(t);
  const journal = await Journal.open(directory);
  for (let at = 0; at < 20; at += 1) await journal.note(`k${at}`, { file, wiped: true });
  await Promise.all(Array.from({ length: 20 }, (_, at) => journal.forget(`k${at}`)));
  t.strictSame(journal.entries(), []);
  await journal.close();
  const again = await Journal.open(directory);
  t.strictSame(again.entries(), []);
  t.equal((await readFile(join(directory, "journal.jsonl"))).length, 0, "and takes no room");
  await again.close();
});
