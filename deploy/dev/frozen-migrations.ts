// `node deploy/dev/frozen-migrations.ts` adds new migrations to migrations/frozen.json; with --check it only compares.
// A migration that stands there is never edited: databases out there have run it. Write a new one instead.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { migrationDigests, thawedMigrations } from "#db";

const path = join(import.meta.dirname, "../../migrations/frozen.json");
const check = process.argv.includes("--check");

const thawed = await thawedMigrations();
const frozen = JSON.parse(await readFile(path, "utf8")) as Record<string, string>;
const edited = thawed.filter((name) => name in frozen);
if (edited.length > 0) {
  process.stderr.write(
    `edited or removed after they were frozen: ${edited.join(", ")}. Undo that, and write a new migration.\n`,
  );
  process.exitCode = 1;
} else if (check && thawed.length > 0) {
  process.stderr.write(`not frozen yet: ${thawed.join(", ")}. Run \`npm run freeze\`.\n`);
  process.exitCode = 1;
} else if (!check) {
  await writeFile(path, `${JSON.stringify(await migrationDigests(), null, 2)}\n`);
}
