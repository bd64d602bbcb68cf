import { configFromEnvironment, parseConfig } from "#config";
import { forgetRetired, keysOfLog, retireLogKey, rotateLogKey } from "#custody";
import { environmentOf } from "./installation.ts";
import { newLogger } from "./logger.ts";
import { openPlatform, type Platform } from "./platform.ts";

interface LogKeyOptions {
  readonly dataDir: string | undefined;
  readonly json: boolean;
}

/** `dockseal log-key list`: every key that ever signed the log, oldest first. */
export function logKeyList(options: LogKeyOptions): Promise<number> {
  return onPlatform(options, async ({ db }) => {
    for (const { vkey, addedAt, retiredAt } of await keysOfLog(db)) {
      const state = retiredAt === null ? `signs since ${addedAt}` : `retired ${retiredAt}`;
      print(options, { vkey, addedAt, retiredAt }, `${vkey}  ${state}`);
    }
  });
}

/** `dockseal log-key rotate`: adds a key, which signs beside the others from the next checkpoint on. */
export function logKeyRotate(options: LogKeyOptions): Promise<number> {
  return onPlatform(options, async ({ db, logKey }) => {
    await forgetRetired(db, logKey);
    const vkey = await rotateLogKey(db, logKey);
    print(options, { vkey }, `log key ${vkey}`);
  });
}

/** `dockseal log-key retire ID`: the key signs no more, and its secret is removed from the key directory. */
export function logKeyRetire(keyId: string, options: LogKeyOptions): Promise<number> {
  return onPlatform(options, async ({ db, logKey }) => {
    const { vkey } = await retireLogKey(db, logKey, keyId);
    print(options, { vkey }, `retired ${vkey}`);
  });
}

async function onPlatform(options: LogKeyOptions, work: (platform: Platform) => Promise<void>): Promise<number> {
  const config =
    options.dataDir === undefined ? configFromEnvironment() : parseConfig(await environmentOf(options.dataDir));
  const platform = await openPlatform(config, newLogger("log-key", "warn"));
  try {
    await work(platform);
    return 0;
  } finally {
    await platform.close();
  }
}

function print({ json }: LogKeyOptions, row: object, line: string): void {
  process.stdout.write(`${json ? JSON.stringify(row) : line}\n`);
}
