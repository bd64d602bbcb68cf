import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { openStore } from "#store";
import { collected, generated } from "../support/bytes.ts";
import { storeContract } from "./store.ts";

const run = promisify(execFile);
const MiB = 1024 * 1024;

/** A directory of its own; files that were locked may carry the immutable flag. */
async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-store-"));
  t.teardown(async () => {
    await run("chattr", ["-R", "-f", "-i", directory]).catch((error: Error) => t.comment(error.message));
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

t.test("the filesystem store keeps the contract", async (t) => {
  const directory = await newDirectory();
  const mayBeImmutable = await run("chattr", ["+i", directory]).then(
    () => run("chattr", ["-i", directory]).then(() => true),
    () => false,
  );
  storeContract(t, {
    open: (options) => openStore(`file://${directory}`, { createBucket: true, ...options }),
    leastBudgetBytes: MiB,
    probe: mayBeImmutable ? "write-once" : "not write-once",
  });
});

t.test("it tells what is free on its disk", async (t) => {
  const directory = await newDirectory();
  const store = await openStore(`file://${directory}?immutable=0`, { createBucket: true });
  const { blocks, bavail, bsize } = await statfs(directory);
  const { freeBytes = 0, totalBytes } = (await store.space()) ?? {};
  t.equal(totalBytes, blocks * bsize);
  t.ok(freeBytes > 0 && freeBytes <= blocks * bsize && bavail > 0, "bytes that an ordinary user may still write");
  await store.close();
});

t.test("without the immutable flag the probe says that the directory is not write-once", async (t) => {
  const store = await openStore(`file://${await newDirectory()}?immutable=0`, { createBucket: true });
  t.match(await store.probeWorm(), {
    writeOnce: false,
    refusedRemoval: false,
    refusedShortening: false,
    detail: /Not write-once.*its user can remove files.*root/s,
  });
});

t.test("a missing directory is refused unless it may be created", async (t) => {
  const url = `file://${await newDirectory()}/evidence`;
  await t.rejects(openStore(url), { code: "configuration-invalid" });
  await t.resolves(openStore(url, { createBucket: true }));
});

t.test("a full disk is store-full, and nothing is kept of the attempt", async (t) => {
  const directory = await newDirectory();
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", directory]);
  } catch (error) {
    t.comment(`skipped: a small file system cannot be mounted here (${error})`);
    return;
  }
  t.teardown(() => run("umount", [directory]));
  const store = await openStore(`file://${directory}`, { createBucket: true });
  const signal = new AbortController().signal;
  const key = "clips/full";
  await t.rejects(store.put({ key, body: generated(4 * MiB), signal }), { code: "store-full" });
  const untouched = (async function* (): AsyncGenerator<Buffer> {
    t.fail("the body of what cannot fit is read");
    yield Buffer.alloc(1);
  })();
  await t.rejects(store.put({ key, body: untouched, sizeBytes: 4 * MiB, signal }), { code: "store-full" });
  const promised = (bytes: number) => async () => bytes;
  const begin = (sizeBytes: number, others: number) =>
    store.resumable.begin(key, { sizeBytes, promisedBytes: promised(others) });
  await t.rejects(begin(1.1 * MiB, 0), { code: "store-full" }, "of a resumable write parts and object must fit");
  await t.rejects(begin(0.6 * MiB, MiB), { code: "store-full" }, "beside what other ones were promised");
  const besideOthers = { key, body: untouched, sizeBytes: MiB, promisedBytes: promised(1.2 * MiB), signal };
  await t.rejects(store.put(besideOthers), { code: "store-full" }, "and no put takes it from them");
  t.same(await readdir(join(directory, "unfinished")), []);
  t.same(await collected(store.list("")), []);
  await t.resolves(begin(0.6 * MiB, 0.5 * MiB), "what was refused holds no space");
  await store.discard(key);
  t.equal(
    (await store.put({ key, body: generated(MiB), sizeBytes: MiB, signal })).sizeBytes,
    MiB,
    "a smaller one fits",
  );
});
