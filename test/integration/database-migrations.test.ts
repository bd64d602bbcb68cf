import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { sql } from "kysely";
import t, { type Test } from "tap";
import { type Database, migrate, migrationDigests, missingMigrations, openDatabase, thawedMigrations } from "#db";
import { bareNode } from "../support/bare-node.ts";
import { testDatabase } from "../support/postgres.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const migrationsDir = join(root, "migrations");

function opened(t: Test, url: string): Database {
  const db = openDatabase({ url, pool: 2, onConnectionError: (error) => t.comment(error.message) });
  t.teardown(() => db.destroy());
  return db;
}

async function someDirectory(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-migrations-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

t.test("migrations run once, however often and from however many processes they are started", async (t) => {
  const { url } = await testDatabase(t);
  const directory = await someDirectory(t);
  const db = opened(t, url);
  const names = Object.keys(await migrationDigests()).map((name) => name.replace(/\.ts$/, ""));
  t.same(await missingMigrations(db), names, "before, all are missing");
  const environment = {
    PATH: process.env["PATH"],
    DOCKSEAL_DATABASE_URL: url,
    DOCKSEAL_QUEUE_URL: url,
    DOCKSEAL_STORE_URL: `file://${directory}/evidence`,
    DOCKSEAL_KEYS_DIR: join(directory, "keys"),
  };
  const command = [join(root, "src/cli/dockseal.ts"), "migrate"];
  const outputs = await Promise.all(
    [1, 2, 3].map(() => run("env", bareNode(...command), { env: environment }).then(({ stdout }) => stdout)),
  );
  t.equal(outputs.filter((output) => output.startsWith(`applied ${names.join(", ")}\n`)).length, 1, "one applies them");
  t.equal(outputs.filter((output) => output.startsWith("up to date\n")).length, 2, "the others find them done");
  t.equal(new Set(outputs.map((output) => /log key .*/.exec(output)?.[0])).size, 1, "and all have the same key");
  t.same(await missingMigrations(db), [], "after, none is missing");
  t.same(await migrate(db), [], "once more changes nothing");
  const { rows } = await sql<{ name: string }>`SELECT name FROM kysely_migration ORDER BY name`.execute(db);
  t.same(
    rows.map(({ name }) => name),
    names,
  );
});

t.test("a migration that landed is never edited, removed or forgotten", async (t) => {
  t.same(await thawedMigrations(), [], "migrations/frozen.json holds what the migrations are");
  const frozen = JSON.parse(await readFile(join(migrationsDir, "frozen.json"), "utf8")) as Record<string, string>;
  t.same(frozen, await migrationDigests());
  const [first = ""] = Object.keys(frozen);
  const { stdout } = await run("sha256sum", [join(migrationsDir, first)]);
  t.equal(frozen[first], stdout.slice(0, 64), "the digest is that of sha256sum");

  const copy = await someDirectory(t);
  await cp(migrationsDir, copy, { recursive: true });
  t.same(await thawedMigrations(copy), [], "a true copy passes");
  await writeFile(join(copy, first), `${await readFile(join(copy, first), "utf8")}\n`);
  t.same(await thawedMigrations(copy), [first], "one byte more fails");
  await rm(join(copy, first));
  t.same(await thawedMigrations(copy), [first], "one that is gone fails");
  await cp(join(migrationsDir, first), join(copy, first));
  await writeFile(join(copy, "9999-new.ts"), "");
  t.same(await thawedMigrations(copy), ["9999-new.ts"], "one that is not frozen yet is told");
});

t.test("the types of the tables are those of the migrations", async (t) => {
  const { url } = await testDatabase(t);
  await migrate(opened(t, url));
  const generate = run(
    "env",
    bareNode(
      join(root, "node_modules/kysely-codegen/dist/cli/bin.js"),
      ...["--dialect", "postgres", "--camel-case", "--url", url, "--out-file", join(root, "src/db/generated.ts")],
      ...["--exclude-pattern", "kysely_*", "--date-parser", "string"],
      ...["--type-mapping", '{"int8":"number","timestamptz":"string"}', "--verify"],
    ),
    { cwd: root },
  );
  await t.resolves(generate, "kysely-codegen finds nothing to change in src/db/generated.ts");
});
