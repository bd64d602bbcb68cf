import { configFromEnvironment } from "#config";
import { logKeyIn } from "#custody";
import { migrate as applyMigrations } from "#db";
import { newLogger } from "./logger.ts";
import { databaseOf } from "./platform.ts";

/** `dockseal migrate`: brings the schema up to date as the owner of the tables, and makes the keys on first use. */
export async function migrate(): Promise<number> {
  const config = configFromEnvironment();
  const db = databaseOf(config, newLogger("migrate", config.logLevel), config.ownerDatabaseUrl ?? config.databaseUrl);
  try {
    const applied = await applyMigrations(db);
    process.stdout.write(applied.length === 0 ? "up to date\n" : `applied ${applied.join(", ")}\n`);
    const { vkey } = await logKeyIn(config.keysDir, config.logOrigin);
    process.stdout.write(`log key ${vkey}\n`);
    return 0;
  } finally {
    await db.destroy();
  }
}
