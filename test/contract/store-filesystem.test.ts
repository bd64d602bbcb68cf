import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { openStore } from "#store";
import { collected, generated } from "../support/bytes.ts";
import { storeContract } from "./store.ts";

const run = promisify(execFile);
const MiB = 1024 * 1024;

t.setTimeout(120_000);

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
  await t.rejects(store.put({ key, body: generated(4 * MiB), sizeBytes: 4 * MiB, signal }), { code: "store-full" });
  t.same(await readdir(join(directory, "unfinished")), []);
  t.same(await collected(store.list("")), []);
  t.equal(
    (await store.put({ key, body: generated(MiB), sizeBytes: MiB, signal })).sizeBytes,
    MiB,
    "a smaller one fits",
  );
});
