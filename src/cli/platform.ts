import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import type { Config } from "#config";
import { type LogKey, logKeyIn, parseWitnessFile, requireKeyOfLog, type Witnesses } from "#custody";
import { type Database, missingMigrations, openDatabase } from "#db";
import { DocksealError, systemClock } from "#kernel";
import { authorityAt, builtInAuthority, firstThatStamps, type TimestampSource } from "#seal";
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

/** The configured timestamp authorities as one source, which goes on to the next one where one fails. */
export async function timestampSourceOf(config: Config, logger: Logger): Promise<TimestampSource> {
  return firstThatStamps(await timestampAuthoritiesOf(config), {
    clock: systemClock,
    onPassedOver: (reason, err) => logger.warn({ err, reason }, "a timestamp authority was passed over"),
  });
}

/**
 * Each configured timestamp authority, at least one, in the order of preference.
 * @throws DocksealError `configuration-invalid` when one is named without the roots that it must lead to.
 */
export async function timestampAuthoritiesOf(config: Config): Promise<TimestampSource[]> {
  const { tsaImprint: imprint, tsaProfile: profile, tsaPolicy: policy } = config;
  if (config.tsaUrl === undefined) {
    if (policy !== undefined) {
      throw new DocksealError("configuration-invalid", { detail: "DOCKSEAL_TSA_POLICY also needs DOCKSEAL_TSA_URL" });
    }
    return [await builtInAuthority(config.keysDir, systemClock, { profile, imprint })];
  }
  if (config.tsaRootsFile === undefined) {
    throw new DocksealError("configuration-invalid", { detail: "DOCKSEAL_TSA_URL also needs DOCKSEAL_TSA_ROOTS_FILE" });
  }
  const pem = await readFile(config.tsaRootsFile, "utf8");
  const roots = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (roots.length === 0) {
    throw new DocksealError("configuration-invalid", { detail: `${config.tsaRootsFile} holds no PEM certificate` });
  }
  return config.tsaUrl.map((url) => authorityAt(url, { roots, clock: systemClock, policy, imprint }));
}

/** @returns undefined when the installation has no witnesses. @throws DocksealError `configuration-invalid`. */
export async function witnessesOf({ witnessFile }: Config): Promise<Witnesses | undefined> {
  if (witnessFile === undefined) return undefined;
  const text = await readFile(witnessFile, "utf8").catch((cause: unknown) => {
    const detail = `DOCKSEAL_WITNESS_FILE ${witnessFile} cannot be read: ${(cause as NodeJS.ErrnoException).code}`;
    throw new DocksealError("configuration-invalid", { detail, cause });
  });
  return parseWitnessFile(text);
}
