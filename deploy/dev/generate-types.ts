// `node deploy/dev/generate-types.ts` writes src/db/generated.ts from the migrations, on a database of its own;
// with --check it only compares.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pino } from "pino";
import { migrate, openDatabase, startEmbeddedPostgres } from "#db";

const root = join(import.meta.dirname, "../..");
const directory = await mkdtemp(join(tmpdir(), "dockseal-types-"));
const postgres = await startEmbeddedPostgres({ dataDir: directory, log: pino({ level: "warn" }) });
try {
  await postgres.ensureDatabase("types");
  const url = postgres.url("types");
  const db = openDatabase({ url, pool: 2, onConnectionError: (error) => process.stderr.write(`${error.message}\n`) });
  await migrate(db);
  await db.destroy();
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      join(root, "node_modules/kysely-codegen/dist/cli/bin.js"),
      ...["--dialect", "postgres", "--camel-case", "--url", url, "--out-file", join(root, "src/db/generated.ts")],
      ...["--exclude-pattern", "kysely_*", "--date-parser", "string"],
      ...["--type-mapping", '{"int8":"number","timestamptz":"string"}'],
      ...(process.argv.includes("--check") ? ["--verify"] : []),
    ],
    { cwd: root },
  );
  process.stdout.write(stdout);
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
