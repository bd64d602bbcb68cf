import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { bareNode } from "../support/bare-node.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const cruise = [
  join(root, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs"),
  "src",
  "workers",
  "migrations",
  "deploy",
];

t.test("the import law: a planted violation fails the check", async (t) => {
  const planted: [rule: string, file: string, content: string][] = [
    ["inward-only-db-queue-store-witness", "src/db/planted-law.ts", 'import "#http";\n'],
    ["inward-only-kernel", "src/kernel/planted-law.ts", 'import "#config";\n'],
    ["one-door-a-room", "src/http/planted-law.ts", 'import "../ingest/receive.ts";\n'],
    ["pure-rooms-do-no-io", "src/evidence/planted-law.ts", 'import "node:fs";\n'],
    ["verify-stands-alone", "src/verify/planted-law.ts", 'import "#db";\n'],
    ["fluent-ffmpeg-in-one-file", "src/seal/planted-law.ts", 'import "fluent-ffmpeg";\n'],
    ["minio-in-the-store", "src/cases/planted-law.ts", 'import "minio";\n'],
    ["station-speaks-http", "src/station/planted-law.ts", 'import "#db";\n'],
    ["the-page-verifies-alone", "src/verify-page/planted-law.ts", 'import "#db";\n'],
    ["the-console-speaks-http", "src/console/planted-law.ts", 'import "#db";\n'],
    ["nobody-needs-the-console", "src/http/planted-console.ts", 'import "../console/format.ts";\n'],
    ["one-door-from-outside", "workers/planted-law.ts", 'import "../src/seal/receipt.ts";\n'],
  ];
  t.teardown(() => Promise.all(planted.map(([, file]) => rm(join(root, file), { force: true }))));
  for (const [, file, content] of planted) await writeFile(join(root, file), content, { flag: "wx" });
  const told = await run("env", bareNode(...cruise), { cwd: root }).then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  );
  for (const [rule, file] of planted) t.ok(told.includes(`error ${rule}: ${file}`), `${rule}: ${file}`);
});
