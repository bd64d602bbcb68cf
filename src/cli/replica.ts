import type { Logger } from "pino";
import type { Replica } from "#audit";
import type { Config } from "#config";
import { DocksealError } from "#kernel";
import { type EvidenceStore, MemoryBudget, openStore } from "#store";

/** A replica that is opened when it is first needed, and again when that failed. */
export type ConfiguredReplica = Replica & { close(): Promise<void> };

/**
 * The second evidence store, when one is configured.
 * @throws DocksealError `configuration-invalid` when it is the first one.
 */
export function replicaOf(config: Config, logger: Logger): ConfiguredReplica | undefined {
  const { replicaUrl: url } = config;
  if (url === undefined) return undefined;
  const location = locationOf(url);
  if (location === locationOf(config.storeUrl)) {
    const detail =
      "DOCKSEAL_REPLICA_URL names the same place as DOCKSEAL_STORE_URL: a copy beside the original is none";
    throw new DocksealError("configuration-invalid", { detail });
  }
  let opened: Promise<EvidenceStore> | undefined;
  const open = (): Promise<EvidenceStore> => {
    opened ??= openStore(url, {
      createBucket: true,
      budget: new MemoryBudget(config.uploadMemoryBytes),
      log: ({ level, msg, ...rest }) => logger[level](rest, msg),
    }).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return { url, location, open, close: async () => (await opened)?.close() };
}

/** Scheme, host and path: what tells one store from another, without the keys to it. */
function locationOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname.replace(/\/+$/, "")}`;
}
