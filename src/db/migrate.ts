import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Kysely, sql } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { DocksealError } from "#kernel";
import { speakingDatabase } from "./database.ts";

const migrationsDir = join(import.meta.dirname, "../../migrations");

/** Name → SHA-256 (hex) of every migration file: what migrations/frozen.json must hold. */
export async function migrationDigests(directory = migrationsDir): Promise<Record<string, string>> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".ts")).sort();
  const digests: Record<string, string> = {};
  for (const name of names) {
    digests[name] = createHash("sha256")
      .update(await readFile(join(directory, name)))
      .digest("hex");
  }
  return digests;
}

/** Names of migrations that differ from, or are missing in, migrations/frozen.json. A landed migration is never edited. */
export async function thawedMigrations(directory = migrationsDir): Promise<string[]> {
  const frozen = JSON.parse(await readFile(join(directory, "frozen.json"), "utf8")) as Record<string, string>;
  const found = await migrationDigests(directory);
  return [...new Set([...Object.keys(frozen), ...Object.keys(found)])].filter((name) => frozen[name] !== found[name]);
}

async function migrations(): Promise<Record<string, Migration>> {
  const all: Record<string, Migration> = {};
  for (const name of Object.keys(await migrationDigests())) {
    all[name.replace(/\.ts$/, "")] = (await import(pathToFileURL(join(migrationsDir, name)).href)) as Migration;
  }
  return all;
}

// biome-ignore lint/suspicious/noExplicitAny: Kysely's Migrator is generic over any schema, since it makes the schema.
type AnyDatabase = Kysely<any>;

/**
 * Brings the schema up to date, as the role that owns the tables. Safe to run by several processes at once.
 * @returns the names of the migrations that this call applied.
 */
export async function migrate(db: AnyDatabase): Promise<string[]> {
  const { rows } = await speakingDatabase(() =>
    sql<{ version: number }>`select current_setting('server_version_num')::int as version`.execute(db),
  );
  const version = rows[0]?.version ?? 0;
  if (version < 150000) {
    throw new DocksealError("configuration-invalid", {
      detail: `PostgreSQL 15 or later is needed, this is ${version}`,
    });
  }
  const migrator = new Migrator({ db, provider: { getMigrations: migrations } });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  return (results ?? []).filter((result) => result.status === "Success").map((result) => result.migrationName);
}

/** Names of migrations that the database still lacks; the server refuses to start on any. */
export async function missingMigrations(db: AnyDatabase): Promise<string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: migrations } });
  const all = await speakingDatabase(() => migrator.getMigrations());
  return all.filter((migration) => migration.executedAt === undefined).map((m) => m.name);
}
