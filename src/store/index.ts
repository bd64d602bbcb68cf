import { FilesystemStore } from "./filesystem/filesystem-store.ts";
import type { StoreLog } from "./log.ts";
import { MemoryBudget } from "./memory-budget.ts";
import type { EvidenceStore } from "./port.ts";
import { openBucket } from "./s3/bucket.ts";
import { S3Connection, type S3Timeouts } from "./s3/connection.ts";
import { S3Store } from "./s3/s3-store.ts";
import { type Credentials, parseStoreUrl } from "./store-url.ts";

export type { StoreLog, StoreLogLine } from "./log.ts";
export { MemoryBudget, type Reservation } from "./memory-budget.ts";
export type * from "./port.ts";
export { reaches } from "./retention.ts";
export type { S3Timeouts } from "./s3/connection.ts";
export type { Credentials } from "./store-url.ts";
export { collectYoungGarbage } from "./young-garbage.ts";

export interface StoreOptions {
  /** Gives up opening. It has no effect on the opened store: that one ends with `close()`. */
  readonly signal?: AbortSignal;
  readonly log?: StoreLog;
  /** Shared by all stores of a process; default 256 MiB of its own. */
  readonly budget?: MemoryBudget;
  /** Instead of keys in the URL. */
  readonly credentials?: Credentials;
  /** Creates a missing bucket (with Object Lock) or directory. Default: a missing one is refused, as a typing error. */
  readonly createBucket?: boolean;
  readonly timeouts?: Partial<S3Timeouts>;
}

const defaultBudgetBytes = 256 * 1024 * 1024;

const defaultTimeouts: S3Timeouts = {
  controlMs: 15_000,
  stallMs: 60_000,
  partMs: 120_000,
  completeMs: 180_000,
  sourceIdleMs: 300_000,
  cleanUpMs: 10_000,
};

/**
 * Opens the evidence store that a URL names: `s3://ACCESS:SECRET@host:port/bucket?tls=0|1&region=…` or
 * `file:///directory?immutable=0|1`, and makes sure that it can hold evidence.
 * @throws DocksealError `configuration-invalid` (the URL, the keys, a bucket without Object Lock), `store-unavailable`.
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<EvidenceStore> {
  const target = parseStoreUrl(url, options.credentials);
  const { signal, createBucket = false } = options;
  const log: StoreLog = options.log ?? (() => undefined);
  const budget = options.budget ?? new MemoryBudget(defaultBudgetBytes);
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  if (target.kind === "filesystem") {
    return FilesystemStore.open(target, { budget, log, create: createBucket, sourceIdleMs: timeouts.sourceIdleMs });
  }
  const connection = new S3Connection(target, timeouts);
  try {
    await openBucket(connection, createBucket, log, signal ? { signal } : {});
  } catch (error) {
    connection.close();
    throw error;
  }
  return new S3Store(connection, budget, log);
}
