import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import type { Config } from "#config";
import { type LogKey, logKeyIn, requireKeyOfLog } from "#custody";
import { type Database, missingMigrations, openDatabase } from "#db";
import { DocksealError, systemClock } from "#kernel";
import { authorityAt, builtInAuthority, type TimestampSource } from "#seal";
import { type EvidenceStore, MemoryBudget, openStore } from "#store";

/** What every process of an installation opens first. */
export interface Platform {
  readonly config: Config;
  readonly logger: Logger;
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly logKey: LogKey;
  close(): Promise<void>;
}

export function databaseOf(config: Config, logger: Logger, url = config.databaseUrl): Database {
  return openDatabase({
    url,
    pool: config.databasePool,
    onConnectionError: (err) => logger.warn({ err }, "a database connection broke; it is replaced"),
  });
}

/**
 * Opens database, store and log key, and refuses to go on with a database whose schema or log is not ours.
 * @throws DocksealError `configuration-invalid`, `database-unavailable`, `store-unavailable`.
 */
export async function openPlatform(config: Config, logger: Logger): Promise<Platform> {
  const db = databaseOf(config, logger);
  let store: EvidenceStore | undefined;
  try {
    const missing = await missingMigrations(db);
    if (missing.length > 0) {
      throw new DocksealError("configuration-invalid", {
        detail: `run \`dockseal migrate\` first: ${missing.join(", ")} missing`,
      });
    }
    const logKey = await logKeyIn(config.keysDir, config.logOrigin);
    await requireKeyOfLog(db, logKey);
    store = await openStore(config.storeUrl, {
      createBucket: true,
      budget: new MemoryBudget(config.uploadMemoryBytes),
      log: ({ level, msg, ...rest }) => logger[level](rest, msg),
    });
    const opened = store;
    return { config, logger, db, store, logKey, close: () => closeBoth(db, opened) };
  } catch (error) {
    await closeBoth(db, store);
    throw error;
  }
}

async function closeBoth(db: Database, store: EvidenceStore | undefined): Promise<void> {
  await store?.close();
  await db.destroy();
}

/** @throws DocksealError `configuration-invalid` when an authority is named without the roots that it must lead to. */
export async function timestampSourceOf(config: Config): Promise<TimestampSource> {
  if (config.tsaUrl === undefined) return builtInAuthority(config.keysDir, systemClock);
  if (config.tsaRootsFile === undefined) {
    throw new DocksealError("configuration-invalid", { detail: "DOCKSEAL_TSA_URL also needs DOCKSEAL_TSA_ROOTS_FILE" });
  }
  const pem = await readFile(config.tsaRootsFile, "utf8");
  const roots = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (roots.length === 0) {
    throw new DocksealError("configuration-invalid", { detail: `${config.tsaRootsFile} holds no PEM certificate` });
  }
  return authorityAt(config.tsaUrl, roots);
}
