// Runs the tests on real servers that it starts once for all files and ends again: `node test/run.ts [tap's arguments]`.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pino } from "pino";
import { startEmbeddedPostgres } from "#db";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..");

/** What tap's last summary line says, e.g. `# { total: 26, pass: 25, fail: 1 }`. */
function countsOf(output: string): { passed: number; failed: number; skipped: number } | undefined {
  const summary = [...output.matchAll(/^# \{ ([^}]*) \}$/gm)].at(-1)?.[1];
  if (summary === undefined) return undefined;
  const count = (name: string): number => Number(new RegExp(`\\b${name}: (\\d+)`).exec(summary)?.[1] ?? 0);
  return { passed: count("pass"), failed: count("fail"), skipped: count("skip") + count("todo") };
}

const directory = await mkdtemp(join(tmpdir(), "dockseal-test-"));
const rgwDirectory = join(directory, "rgw");
const postgres = await startEmbeddedPostgres({ dataDir: join(directory, "postgres"), log: pino({ level: "warn" }) });
let code = 1;
try {
  const { stdout: s3 } = await run(join(root, "deploy/dev/rgw-up.sh"), [rgwDirectory], { timeout: 180_000 });
  const tap = spawn(join(root, "node_modules/.bin/tap"), ["--reporter=tap", ...process.argv.slice(2)], {
    cwd: root,
    env: { ...process.env, DOCKSEAL_TEST_POSTGRES: postgres.superuserUrl, DOCKSEAL_TEST_S3: s3.trim() },
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.on("SIGINT", () => tap.kill("SIGINT"));
  process.on("SIGTERM", () => tap.kill("SIGTERM"));
  let tail = "";
  tap.stdout.on("data", (chunk: Buffer) => {
    process.stdout.write(chunk);
    tail = (tail + chunk.toString("utf8")).slice(-65_536);
  });
  const [exitCode] = (await once(tap, "close")) as [number | null];
  const counts = countsOf(tail);
  code = exitCode === 0 && counts !== undefined && counts.passed > 0 && counts.failed === 0 ? 0 : 1;
  if (counts !== undefined) {
    process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  }
} finally {
  await run(join(root, "deploy/dev/rgw-down.sh"), [rgwDirectory], { timeout: 60_000 });
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
process.exit(code);
