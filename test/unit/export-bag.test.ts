import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { extract } from "tar-stream";
import { BagWriter } from "../../src/export/bag/bag-writer.ts";
import { DirectorySink } from "../../src/export/bag/directory-sink.ts";
import { safeFileName } from "../../src/export/bag/names.ts";
import { TarSink } from "../../src/export/bag/tar-sink.ts";
import { collected, failing, generated } from "../support/bytes.ts";
import { filesOf, shell } from "../support/exports.ts";

const run = promisify(execFile);
const noSignature = async () => [];
const GiB = 1024 ** 3;

t.test("a file name in a bag means the same on every system and in every manifest", (t) => {
  for (const [given, safe] of [
    ["a.mp4", "a.mp4"],
    ["现场 检查.mp4", "现场 检查.mp4"],
    ["../etc/passwd", "_._etc_passwd"],
    ["..", "__"],
    [".hidden", "_hidden"],
    ["-rf", "_rf"],
    ["a\r\nb%0A\u0000.txt", "a__b_0A_.txt"],
    ["a\u202egpj.exe", "a_gpj.exe"],
    ["cafe\u0301.txt", "caf\u00e9.txt"],
    ['x:*?"<>|\\.avi', "x________.avi"],
    ["CON.txt", "_CON.txt"],
    ["lpt1", "_lpt1"],
    ["console.log", "console.log"],
    ["dot.", "dot_"],
    ["", "_"],
  ] as const) {
    t.equal(safeFileName(given), safe, JSON.stringify(given));
  }
  const long = safeFileName(`${"长\u{20000}".repeat(100)}.mp4`);
  t.ok(Buffer.byteLength(long) <= 200 && long.isWellFormed() && long.endsWith(".mp4"), "cut in front of the ending");
  t.end();
});

/** A small bag with names that are hard for archives. */
async function fill(writer: BagWriter): Promise<void> {
  await writer.payloadBytes("data/empty", Buffer.of());
  await writer.payload({ path: "data/large.bin", sizeBytes: 3_000_001, body: generated(3_000_001) });
  await writer.payloadBytes(`data/originals/${"长".repeat(60)}/${"x".repeat(150)}.txt`, Buffer.from("deep\n"));
  await writer.tag("VERIFY.txt", "…\n");
}

const check = [
  "sha256sum --quiet -c manifest-sha256.txt tagmanifest-sha256.txt",
  "sha512sum --quiet -c manifest-sha512.txt tagmanifest-sha512.txt",
  'test "$(find data -type f | wc -l)" = "$(wc -l < manifest-sha256.txt)"',
  'test "$(sed -n 2p sm3-digests.txt)" = "$(openssl dgst -sm3 -r data/large.bin | cut -c1-64)  data/large.bin"',
  'grep -x "Payload-Oxum: 3000006.3" bag-info.txt',
].join(" && ");

t.test("a bag in a folder and a bag in a tar are the same files, and sha256sum and GNU tar agree", async (t) => {
  const out = t.testdir();
  const sink = await DirectorySink.open(out, "案 1");
  const writer = new BagWriter(sink);
  await fill(writer);
  const inFolder = await writer.close([["Source-Organization", "某局"]], noSignature);
  await sink.finish();
  t.strictSame(await readdir(out), ["案 1"], "nothing else is left");
  await shell(join(out, "案 1"), check);

  const tar = new TarSink("案 2", new Date("2026-11-22T00:00:00Z"));
  const tarWriter = new BagWriter(tar);
  const [bytes, inTar] = await Promise.all([
    collected(tar.stream),
    fill(tarWriter)
      .then(() => tarWriter.close([["Source-Organization", "某局"]], noSignature))
      .finally(() => tar.finish()),
  ]);
  await writeFile(join(out, "bag.tar"), Buffer.concat(bytes));
  await run("tar", ["-xf", "bag.tar"], { cwd: out });
  await shell(join(out, "案 2"), check);
  t.same(inTar, inFolder);
  t.same((await filesOf(join(out, "案 2"))).sort(), (await filesOf(join(out, "案 1"))).sort());
});

t.test("a bag never holds two names that are one where case does not count", async (t) => {
  const sink = await DirectorySink.open(t.testdir(), "bag");
  const writer = new BagWriter(sink);
  await writer.payloadBytes("data/A", Buffer.from("1"));
  await t.rejects(writer.payloadBytes("data/a", Buffer.from("2")), /twice/);
  await t.rejects(writer.payloadBytes("elsewhere", Buffer.from("2")), /payload/);
  await sink.abandon();
});

t.test("a file of 9 GiB gets a size that GNU tar reads", async (t) => {
  const tar = new TarSink("bag", new Date());
  const sizeBytes = 9 * GiB;
  const begun = tar.write({ path: "data/large", sizeBytes, body: generated(4096) });
  begun.catch(() => undefined); // it is shorter than announced: only its head is looked at
  const parser = extract();
  const header = new Promise<{ name: string; size?: number }>((resolve) => {
    parser.on("entry", (head) => resolve(head as { name: string; size?: number }));
  });
  const iterator = tar.stream[Symbol.asyncIterator]();
  let head = Buffer.of();
  while (head.length < 1536) head = Buffer.concat([head, (await iterator.next()).value as Buffer]);
  parser.write(head);
  t.match(await header, { name: "bag/data/large", size: sizeBytes });
  t.match(head.toString("latin1"), `size=${sizeBytes}\n`, "as a pax record");
  const file = join(t.testdir(), "head.tar");
  await writeFile(file, head);
  const { stdout } = await run("tar", ["-tvf", file]).catch((error: { stdout: string }) => error);
  t.match(stdout, String(sizeBytes));
  parser.destroy();
  tar.fail(new Error("over"));
});

t.test("a body of another length than announced is refused by both sinks", async (t) => {
  const out = t.testdir();
  for (const length of [999, 1001]) {
    const folder = await DirectorySink.open(out, "bag");
    const wrong = { path: "data/x", sizeBytes: 1000, body: generated(length) };
    await t.rejects(folder.write(wrong), { code: "length-differs" });
    await folder.abandon();
    t.strictSame(await readdir(out), [], "and nothing is left");
    const tar = new TarSink("bag", new Date());
    const reading = collected(tar.stream);
    const writing = tar.write({ ...wrong, body: generated(length) });
    await t.rejects(writing, { code: "length-differs" });
    tar.fail(new Error("the reason"));
    await t.rejects(reading, { message: "the reason" }, "whoever reads the tar hears of it");
  }
});

t.test("a source that fails fails the file, and a reader that leaves ends the writing", async (t) => {
  const tar = new TarSink("bag", new Date());
  const reading = collected(tar.stream);
  const fault = new Error("the store is away");
  await t.rejects(tar.write({ path: "data/x", sizeBytes: 10_000, body: failing(5000, fault) }), fault);
  tar.fail(fault);
  await t.rejects(reading, fault);

  const left = new TarSink("bag", new Date());
  const writing = left.write({ path: "data/x", sizeBytes: GiB, body: generated(GiB) });
  const iterator = left.stream[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.return?.();
  await t.rejects(writing, "it does not wait for ever");
});

t.test("a bag that exists is never touched; what a killed process left is replaced", async (t) => {
  const out = t.testdir({ bag: { "bagit.txt": "mine" }, "killed.partial": { data: { half: "x" } } });
  await t.rejects(DirectorySink.open(out, "bag"), { code: "conflict", message: /exists already/ });
  t.equal(await readFile(join(out, "bag/bagit.txt"), "utf8"), "mine");

  const sink = await DirectorySink.open(out, "killed");
  t.strictSame((await readdir(join(out, "killed.partial"))).sort(), [".writing"], "the half is gone");
  await sink.write({ path: "data/whole", sizeBytes: 3, body: generated(3) });
  await sink.finish();
  t.strictSame(await filesOf(join(out, "killed")), ["data/whole"]);
  t.strictSame((await readdir(out)).sort(), ["bag", "killed"]);
});

t.test("two processes never write one bag", async (t) => {
  const out = t.testdir();
  await mkdir(join(out, "bag.partial"));
  await t.rejects(DirectorySink.open(out, "bag"), { code: "conflict" }, "one has just begun");
  await writeFile(join(out, "bag.partial/.writing"), "1\n");
  await t.rejects(DirectorySink.open(out, "bag"), { code: "conflict", message: /process 1 is writing/ });
  await writeFile(join(out, "bag.partial/.writing"), "4194304\n"); // beyond what Linux gives out by default
  const sink = await DirectorySink.open(out, "bag");
  await sink.write({ path: "data/x", sizeBytes: 1, body: generated(1) });
  await mkdir(join(out, "aside/data"), { recursive: true });
  await rename(join(out, "aside"), join(out, "bag"));
  await t.rejects(sink.finish(), { code: "conflict" }, "a bag that came meanwhile stays");
  await sink.abandon();
  t.ok((await stat(join(out, "bag/data"))).isDirectory());
});
