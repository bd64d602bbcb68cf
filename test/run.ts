// Runs the tests on what it builds and on real servers that it starts, once for all files: `node test/run.ts [tap's arguments]`.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { pino } from "pino";
import { startEmbeddedPostgres } from "#db";
import { buildProduct } from "../deploy/build.ts";
import { buildConsole } from "../deploy/build-console.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..");

/** Figures of tap's last line about them, e.g. `# { total: 26, pass: 25, fail: 1 }`. */
function countsIn(summary: string): { passed: number; failed: number; skipped: number } {
  const count = (name: string): number => Number(new RegExp(`\\b${name}: (\\d+)`).exec(summary)?.[1] ?? 0);
  return { passed: count("pass"), failed: count("fail"), skipped: count("skip") + count("todo") };
}

const directory = await mkdtemp(join(tmpdir(), "dockseal-test-"));
const built = await mkdtemp(join(root, ".tap/product-"));
const rgwDirectory = join(directory, "rgw");
const postgres = await startEmbeddedPostgres({ dataDir: join(directory, "postgres"), log: pino({ level: "warn" }) });
let code = 1;
try {
  // Once: two tests that built it at a time would be in each other's way.
  await buildConsole();
  const { stdout: s3 } = await run(join(root, "deploy/dev/rgw-up.sh"), [rgwDirectory], { timeout: 180_000 });
  const tap = spawn(join(root, "node_modules/.bin/tap"), ["--reporter=tap", ...process.argv.slice(2)], {
    cwd: root,
    env: {
      ...process.env,
      DOCKSEAL_TEST_POSTGRES: postgres.superuserUrl,
      DOCKSEAL_TEST_S3: s3.trim(),
      DOCKSEAL_TEST_PRODUCT: await buildProduct(built),
      // The suite starts some thousand processes of ours: each takes what the ones before have compiled.
      NODE_COMPILE_CACHE: join(directory, "compiled"),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.on("SIGINT", () => tap.kill("SIGINT"));
  process.on("SIGTERM", () => tap.kill("SIGTERM"));
  const ended = once(tap, "close") as Promise<[number | null]>;
  const failures: string[] = [];
  let why = 0;
  let counts: ReturnType<typeof countsIn> | undefined;
  for await (const line of createInterface({ input: tap.stdout })) {
    process.stdout.write(`${line}\n`);
    // Which test failed, the file it stands in, and the beginning of the reason.
    if (/^\s*not ok /.test(line)) why = 40;
    else if (/^\s*(ok |\.\.\.$)/.test(line)) why = 0;
    if (why > 0 && line.trim() !== "") failures.push(line);
    why -= 1;
    if (/^# \{ .* \}$/.test(line)) counts = countsIn(line);
  }
  const [exitCode] = await ended;
  code = exitCode === 0 && counts !== undefined && counts.passed > 0 && counts.failed === 0 ? 0 : 1;
  if (failures.length > 0) process.stdout.write(`\nWhat failed:\n${failures.join("\n")}\n`);
  if (counts !== undefined) {
    process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  }
} finally {
  await run(join(root, "deploy/dev/rgw-down.sh"), [rgwDirectory], { timeout: 60_000 });
  await postgres.stop();
  await Promise.all([directory, built].map((made) => rm(made, { recursive: true, force: true })));
}
process.exit(code);
