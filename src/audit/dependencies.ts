import type { FixedCheckpoint } from "#custody";
import type { Database, Tx } from "#db";
import type { Clock } from "#kernel";
import type { EvidenceStore } from "#store";
import type { Feed } from "./scope.ts";

/** The second evidence store. Opened when it is first needed: that it is away must keep nothing else from working. */
export interface Replica {
  readonly url: string;
  /** Where it is, for records and people: host and bucket, or directory. No secret in it. */
  readonly location: string;
  /** @throws DocksealError `store-unavailable`, `configuration-invalid`. */
  open(): Promise<EvidenceStore>;
}

export interface AuditSettings {
  /** Everything is read again within so many days. */
  readonly days: number;
  /** Clips in a day's sample; undefined: one in a hundred, but ten at least. */
  readonly sampleCount: number | undefined;
  readonly bytesPerSecond: number;
  /** Work that gave no sign of life for so long is taken over by another process. */
  readonly leaseSeconds: number;
}

export interface AuditDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  /** For the hash threads, which open the store themselves. */
  readonly storeUrl: string;
  readonly replica: Replica | undefined;
  readonly settings: AuditSettings;
  readonly clock: Clock;
  /** The first checkpoint signed at or after `since` that is timestamped or witnessed. */
  readonly fixedCheckpoint: (db: Database | Tx, since: Date) => Promise<FixedCheckpoint | undefined>;
  /** What hands out the objects of a run; tests put a faulty one here. */
  readonly feed?: Feed;
  readonly log: AuditLog;
}

/** Where the audit tells people what it found. */
export interface AuditLog {
  error(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  info(facts: object, message: string): void;
}

/** What a repair needs, wherever damage is found. */
export type RepairDependencies = Pick<AuditDependencies, "db" | "store" | "storeUrl" | "replica" | "log"> & {
  readonly settings: Pick<AuditSettings, "leaseSeconds">;
};
