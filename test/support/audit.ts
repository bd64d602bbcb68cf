import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { type AuditDependencies, auditRound, fsck, type Replica } from "#audit";
import { type Finding, type FixedCheckpoint, logKeyIn, sequenceBatch } from "#custody";
import { type Database, inTransaction, migrate, openDatabase } from "#db";
import { createOrganization, createStation, type StationActor } from "#identity";
import { receiveClip } from "#ingest";
import { newId, systemClock } from "#kernel";
import { builtInAuthority, hashClip, type SealKey, sealKeyIn, type TimestampSource, timestampClip } from "#seal";
import { type EvidenceStore, openStore } from "#store";
import { testDatabase } from "./postgres.ts";

/** Database, store and replica, and the rooms that work on them, in this process. */
export interface AuditBench {
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly replica: Replica & { readonly store: EvidenceStore };
  readonly station: StationActor;
  /** What the audit logged as errors. */
  readonly errors: string[];
  /** Dependencies of the audit, with some of them other than usual. */
  deps(other?: Partial<Omit<AuditDependencies, "settings">> & { leaseSeconds?: number }): AuditDependencies;
  /** A clip of those bytes, received, hashed and sealed, and in the log. */
  seal(bytes?: Buffer): Promise<{ clipId: string; bytes: Buffer }>;
  /** A file that was made of a clip, beside it. */
  derive(clipId: string, bytes?: Buffer): Promise<{ id: string; bytes: Buffer }>;
  /** What `dockseal fsck --deep` says. */
  fsck(): Promise<Finding[]>;
  clip(
    clipId: string,
  ): Promise<{ state: string; objectKey: string; versionId: string; quarantineReason: string | null }>;
}

/** @param urls of the two stores; each is opened by this, and by the hash threads for themselves. */
export async function auditBench(t: Test, urls: { store: string; replica: string }): Promise<AuditBench> {
  const { url } = await testDatabase(t);
  const db = openDatabase({ url, pool: 6, onConnectionError: () => undefined });
  t.teardown(() => db.destroy());
  await migrate(db);
  const opened = async (storeUrl: string): Promise<EvidenceStore> => {
    const store = await openStore(storeUrl, { createBucket: true });
    t.teardown(() => store.close());
    return store;
  };
  const [store, replicaStore] = [await opened(urls.store), await opened(urls.replica)];
  const keys = await mkdtemp(join(tmpdir(), "dockseal-audit-"));
  t.teardown(() => rm(keys, { recursive: true, force: true }));
  const timestamps = await builtInAuthority(keys, systemClock);
  const sealKey = await sealKeyIn(keys);
  const station = await makeStation(db);
  const errors: string[] = [];
  const log = {
    info: () => undefined,
    warn: (facts: object, message: string) => t.comment(`${message} ${String((facts as { err?: Error }).err ?? "")}`),
    error: (_facts: object, message: string) => void errors.push(message),
  };
  const replica = { url: urls.replica, location: "replica", store: replicaStore, open: async () => replicaStore };
  return {
    ...{ db, store, replica, station, errors },
    deps: ({ leaseSeconds = 30, ...other } = {}) => ({
      ...{ db, store, storeUrl: urls.store, replica: undefined, clock: systemClock, log },
      settings: { days: 90, sampleCount: undefined, bytesPerSecond: 1024 ** 3, leaseSeconds },
      fixedCheckpoint: async (): Promise<FixedCheckpoint | undefined> => undefined,
      ...other,
    }),
    seal: (bytes = randomBytes(50_000)) =>
      seal({ db, store, storeUrl: urls.store, station, timestamps, sealKey }, bytes),
    derive: (clipId, bytes = randomBytes(3000)) => derive({ db, store }, clipId, bytes),
    fsck: async () => {
      const findings: Finding[] = [];
      const logKey = await logKeyIn(keys, "log.example/custody");
      await fsck({ db, store, storeUrl: urls.store, logKey, deep: true }, (finding) => void findings.push(finding));
      return findings;
    },
    clip: (clipId) =>
      db
        .selectFrom("clip")
        .innerJoin("clipLocation", "clipLocation.clipId", "clip.id")
        .select((eb) => [
          "state",
          "quarantineReason",
          eb.ref("clipLocation.objectKey").$notNull().as("objectKey"),
          eb.ref("clipLocation.versionId").$notNull().as("versionId"),
        ])
        .where("clip.id", "=", clipId)
        .executeTakeFirstOrThrow(),
  };
}

async function makeStation(db: Database): Promise<StationActor> {
  const { organization, station } = await inTransaction(db, async (tx) => {
    const organization = await createOrganization(tx, `甲局 ${newId()}`);
    const number = randomBytes(6).toString("hex");
    return { organization, ...(await createStation(tx, { organizationId: organization.id, number, name: "采集站" })) };
  });
  return { type: "station", id: station.id, organizationId: organization.id };
}

async function seal(
  at: {
    readonly db: Database;
    readonly store: EvidenceStore;
    readonly storeUrl: string;
    readonly station: StationActor;
    readonly timestamps: TimestampSource;
    readonly sealKey: SealKey;
  },
  bytes: Buffer,
): Promise<{ clipId: string; bytes: Buffer }> {
  const { db, store, storeUrl, station } = at;
  const { signal } = new AbortController();
  const thrown = (error: unknown): never => {
    throw error;
  };
  const { clipId } = await receiveClip(
    {
      db,
      store,
      limits: { maxBytes: 1e9, stallSeconds: 60, abandonedSeconds: 300, resumableSeconds: 3600 },
      onCleanUpError: thrown,
    },
    {
      station,
      metadata: {
        ...{ recorderSerial: "AUDIT-1", collectorNumber: "37150001", fileName: "clip.bin" },
        capturedAt: "2026-11-21 09:30:00",
      },
      body: once(bytes),
      signal,
      traceId: "test",
    },
  );
  const job = { clipId, traceId: "test", signal };
  const sides = { onQuarantine: thrown, onSideError: thrown };
  await hashClip({ db, store, storeUrl, retentionDays: 1, clock: systemClock, ...sides }, job);
  await timestampClip({ db, store, timestamps: at.timestamps, sealKey: at.sealKey }, job);
  await sequenceAll(db);
  return { clipId, bytes };
}

export async function sequenceAll(db: Database): Promise<void> {
  while ((await sequenceBatch(db)) > 0);
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function derive(at: { db: Database; store: EvidenceStore }, clipId: string, bytes: Buffer) {
  const { createHash } = await import("node:crypto");
  const id = newId();
  const { signal } = new AbortController();
  const key = `derivatives/${clipId}/${id}-poster`;
  const { versionId } = await at.store.put({ key, body: once(bytes), sizeBytes: bytes.length, signal });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await at.db
    .insertInto("derivative")
    .values({
      ...{ id, clipId, role: "poster", objectKey: key, versionId, mediaType: "image/jpeg", sha256 },
      ...{ sizeBytes: bytes.length, originalSha256: sha256, facts: "{}", tool: "ffmpeg", toolVersion: "test" },
      ...{ arguments: "[]", sandboxLevel: "limits" },
    })
    .execute();
  await at.db.updateTable("clipStep").set({ state: "done" }).where("clipId", "=", clipId).execute();
  return { id, bytes };
}

/** Reads until nothing is left to do. @returns how many objects this caller read. */
export async function readAll(deps: AuditDependencies): Promise<number> {
  const { signal } = new AbortController();
  let read = 0;
  while (await auditRound(deps, signal)) read += 1;
  return read;
}
