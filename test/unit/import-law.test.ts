import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t, { type Test } from "tap";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const cruise = [
  join(root, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs"),
  "src",
  "workers",
  "migrations",
  "deploy",
];

/** Names of the rules that a planted file breaks. */
async function brokenBy(t: Test, file: string, content: string): Promise<string> {
  const path = join(root, file);
  t.teardown(() => rm(path, { force: true }));
  await writeFile(path, content, { flag: "wx" });
  try {
    const { stdout } = await run(process.execPath, cruise, { cwd: root });
    return stdout;
  } catch (error) {
    return String((error as { stdout: string }).stdout);
  } finally {
    await rm(path);
  }
}

t.test("the import law: a planted violation fails the check", async (t) => {
  t.setTimeout(240_000);
  const planted: [rule: string, file: string, content: string][] = [
    ["inward-only-db-queue-store", "src/db/planted-law.ts", 'import "#http";\n'],
    ["inward-only-kernel", "src/kernel/planted-law.ts", 'import "#config";\n'],
    ["one-door-a-room", "src/http/planted-law.ts", 'import "../ingest/receive.ts";\n'],
    ["pure-rooms-do-no-io", "src/evidence/planted-law.ts", 'import "node:fs";\n'],
    ["verify-stands-alone", "src/verify/planted-law.ts", 'import "#db";\n'],
    ["fluent-ffmpeg-in-one-file", "src/seal/planted-law.ts", 'import "fluent-ffmpeg";\n'],
    ["minio-in-the-store", "src/seal/planted-law.ts", 'import "minio";\n'],
    ["one-door-from-outside", "workers/planted-law.ts", 'import "../src/seal/receipt.ts";\n'],
  ];
  for (const [rule, file, content] of planted) t.match(await brokenBy(t, file, content), rule, `${rule}: ${file}`);
});
