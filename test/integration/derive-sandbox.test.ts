import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { debianPrograms, inputPath, outputPath, probeSandbox, runSandboxed } from "#derive";
import { isProblem } from "#kernel";
import type { SandboxedRun } from "../../src/derive/confine.ts";
import { listener, scratch } from "../support/derive-media.ts";
import { until } from "../support/until.ts";

const withoutBubblewrap = { ...debianPrograms, bwrap: "/nonexistent/bwrap" };
const limits = { cpuSeconds: 20, memoryBytes: 2 ** 31, fileBytes: 2 ** 24, wallSeconds: 120 };
const { level } = await probeSandbox();
const needsBubblewrap = level === "bubblewrap" ? {} : { skip: "bubblewrap does not work on this machine" };

/** Both ways in which a tool may be run here. */
const ways = [
  ...(level === "bubblewrap" ? [{ sandbox: "require", programs: debianPrograms } as const] : []),
  { sandbox: "limits", programs: withoutBubblewrap } as const,
];

function ffmpeg(run: Partial<SandboxedRun> & { args: readonly string[] }) {
  return runSandboxed({
    ...{ tool: "ffmpeg", readOnly: [], limits, sandbox: "require", stdoutMaxBytes: 65_536 },
    signal: new AbortController().signal,
    ...run,
    args: ["-nostdin", "-v", "error", ...run.args],
  });
}
const raw = (source: string) => ["-f", "data", "-i", source, "-map", "0", "-c", "copy", "-f", "data", "pipe:1"];
/** A run that never ends by itself; with `-re` it needs next to no processor. */
const endless = (marker: string, ...more: string[]) => [
  ...[...more, "-f", "lavfi", "-i", "testsrc2=s=64x48"],
  ...["-metadata", `title=${marker}`, "-f", "null", "-"],
];

/** Command lines of the processes that carry a marker; a dead one that waits to be reaped has none. */
async function marked(marker: string): Promise<{ pid: string; words: string[] }[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== "ENOENT" && cause.code !== "ESRCH") throw cause;
        return "";
      });
      return { pid, words: line.split("\0") };
    }),
  );
  return found.filter(({ words }) => words.some((word) => word.includes(marker)));
}
const isRunning = (marker: string) => async () =>
  (await marked(marker)).some(({ words }) => words[0] === debianPrograms.ffmpeg);

t.test("inside the sandbox there is no network", needsBubblewrap, async (t) => {
  const { port, connections } = await listener(t);
  const inside = await ffmpeg({ args: raw(`tcp://127.0.0.1:${port}`) });
  t.not(inside.exitCode, 0);
  t.equal(inside.level, "bubblewrap");
  t.equal(connections(), 0);
  await ffmpeg({ args: raw(`tcp://127.0.0.1:${port}`), sandbox: "limits", programs: withoutBubblewrap });
  t.equal(connections(), 1, "the listener would have seen it: without namespaces the same run reaches it");
});

t.test(
  "inside the sandbox only the given files can be read, and only one directory written",
  needsBubblewrap,
  async (t) => {
    const dir = await scratch(t);
    const [given, other] = [join(dir, "given"), join(dir, "other")];
    await Promise.all([writeFile(given, "given"), writeFile(other, "other")]);
    t.equal((await ffmpeg({ args: raw(inputPath()), readOnly: [given] })).stdout.toString(), "given");
    for (const outside of [other, "/etc/passwd", "/proc/self/environ"]) {
      const run = await ffmpeg({ args: raw(outside), readOnly: [given] });
      t.not(run.exitCode, 0, outside);
      t.equal(run.stdout.length, 0, outside);
    }
    const copyTo = (target: string) => [...raw(inputPath()).slice(0, -1), "-y", target];
    for (const target of [inputPath(), "/x", "/in/x", "/usr/x", "/etc/x"]) {
      const run = await ffmpeg({ args: copyTo(target), readOnly: [given], writableDir: dir });
      t.not(run.exitCode, 0, target);
    }
    t.equal(await readFile(given, "utf8"), "given");
    t.equal((await ffmpeg({ args: copyTo(outputPath("copy")), readOnly: [given], writableDir: dir })).exitCode, 0);
    t.equal(await readFile(join(dir, "copy"), "utf8"), "given");
  },
);

t.test("the same neutral paths serve without namespaces", async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, "given"), "given");
  const args = [...raw(inputPath()).slice(0, -1), "-y", outputPath("copy")];
  const run = await ffmpeg({
    ...{ args, readOnly: [join(dir, "given")], writableDir: dir },
    ...{ sandbox: "limits", programs: withoutBubblewrap },
  });
  t.match(run, { exitCode: 0, level: "limits" });
  t.equal(await readFile(join(dir, "copy"), "utf8"), "given");
});

t.test("without bubblewrap nothing runs, unless limits alone will do", async (t) => {
  const run = ffmpeg({ args: ["-version"], programs: withoutBubblewrap });
  await t.rejects(run, { code: "sandbox-unavailable" });
  t.match(await probeSandbox(withoutBubblewrap), { level: "limits", detail: /bubblewrap does not work here/ });
  const nothing = { ...withoutBubblewrap, prlimit: "/nonexistent/prlimit" };
  t.match(await probeSandbox(nothing), { level: "none" });
  const none = ffmpeg({ args: ["-version"], sandbox: "limits", programs: nothing });
  t.ok(isProblem(await none.catch((error) => error), "sandbox-unavailable"));
});

for (const way of ways) {
  const name = way.sandbox === "require" ? "in bubblewrap" : "under limits alone";

  t.test(`${name} processor time is limited`, async (t) => {
    const run = await ffmpeg({ ...way, args: endless(randomUUID()), limits: { ...limits, cpuSeconds: 1 } });
    t.match(run, { exitCode: null, signal: "SIGKILL", timedOut: false });
  });

  t.test(`${name} the size of a file is limited`, async (t) => {
    const writableDir = await scratch(t);
    const args = [...endless("").slice(0, -3), "-f", "rawvideo", outputPath("big")];
    const run = await ffmpeg({ ...way, args, writableDir, limits: { ...limits, fileBytes: 100_000 } });
    t.match(run, { exitCode: null, signal: "SIGXFSZ" });
    t.ok((await readFile(join(writableDir, "big"))).length <= 100_000);
  });

  t.test(`${name} wall time is limited, and nothing is left behind`, async (t) => {
    const marker = randomUUID();
    const run = await ffmpeg({ ...way, args: endless(marker, "-re"), limits: { ...limits, wallSeconds: 0.5 } });
    t.match(run, { timedOut: true });
    t.same(await marked(marker), []);
  });

  t.test(`${name} an abort ends the whole group, and what ran knew no secret of ours`, async (t) => {
    const marker = randomUUID();
    process.env["DOCKSEAL_TEST_SECRET"] = "do not hand on";
    t.teardown(() => delete process.env["DOCKSEAL_TEST_SECRET"]);
    const abort = new AbortController();
    const run = ffmpeg({ ...way, args: endless(marker, "-re"), signal: abort.signal });
    await until("it runs", isRunning(marker));
    for (const { pid, words } of await marked(marker)) {
      if (words[0] !== debianPrograms.ffmpeg) continue;
      t.notMatch(await readFile(`/proc/${pid}/environ`, "utf8"), "do not hand on");
    }
    abort.abort(new Error("no longer wanted"));
    await t.rejects(run, { message: "no longer wanted" });
    t.same(await marked(marker), []);
  });

  t.test(`${name} an abort at any moment of the start leaves nothing behind`, async (t) => {
    const marker = randomUUID();
    for (let delay = 0; delay <= 60; delay += 4) {
      const abort = new AbortController();
      const run = ffmpeg({ ...way, args: endless(marker, "-re"), signal: abort.signal });
      setTimeout(() => abort.abort(new Error("stop")), delay);
      await t.rejects(run, { message: "stop" });
    }
    await until("nothing is left", async () => (await marked(marker)).length === 0);
  });

  t.test(`${name} the tool dies with the process that started it`, async (t) => {
    const marker = randomUUID();
    const program = `
      import { runSandboxed } from "#derive";
      await runSandboxed(${JSON.stringify({
        ...{ tool: "ffmpeg", args: ["-nostdin", "-v", "error", ...endless(marker, "-re")], readOnly: [], limits },
        ...way,
      })
        .slice(0, -1)
        .concat(", signal: new AbortController().signal }")});`;
    const parent = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    t.teardown(() => parent.kill("SIGKILL"));
    await until("it runs", isRunning(marker));
    parent.kill("SIGKILL");
    await until("it is gone", async () => (await marked(marker)).length === 0);
  });
}

t.test("what a tool says is kept within bounds", async (t) => {
  const [way] = ways;
  const args = [...endless("").slice(0, -3), "-f", "rawvideo", "pipe:1"];
  const run = await ffmpeg({ ...way, args, stdoutMaxBytes: 10_000 });
  t.match(run, { stdoutOverflowed: true });
  t.ok(run.stdout.length <= 10_000);
  const noise = ["-v", "info", "-f", "lavfi", "-i", "testsrc2=s=64x48:d=60,showinfo", "-f", "null", "-"];
  const noisy = await ffmpeg({ ...way, args: noise });
  t.match(noisy, { exitCode: 0 });
  t.equal(Buffer.byteLength(noisy.stderrTail), 65_536);
});

t.test("progress is told while it runs", async (t) => {
  const seen: number[] = [];
  const args = ["-f", "lavfi", "-i", "testsrc2=s=64x48:d=2", "-f", "null", "-"];
  await ffmpeg({ ...ways[0], args, onProgress: ({ outSeconds }) => seen.push(outSeconds) });
  t.ok((seen.at(-1) ?? 0) > 1.5);
});
