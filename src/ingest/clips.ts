import { sql } from "kysely";
import type { Database, Tx } from "#db";
import { DocksealError, type Json } from "#kernel";
import type { Kind } from "#metadata";

/** What workers need to know of a clip. */
export interface ClipRecord {
  readonly id: string;
  readonly organizationId: string;
  readonly state: string;
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly sm3: string | null;
  readonly chunkRoot: string | null;
  /** Where the bytes are now: under the key they came in by, or where the newest repair put them. */
  readonly objectKey: string;
  readonly versionId: string;
  /** How often the bytes were repaired. */
  readonly generation: number;
  readonly receivedAt: string;
  readonly retainedUntil: string | null;
  readonly mediaType: string;
  readonly metadata: Json;
  readonly collectorNumber: string;
  readonly capturedAtRaw: string;
  readonly placeText: string | null;
  readonly caseNumber: string | null;
  readonly evidencePurpose: string | null;
  readonly stage: string | null;
}

/** @throws DocksealError `not-found`. */
export async function clipRecord(db: Database | Tx, clipId: string): Promise<ClipRecord> {
  const row = await db
    .selectFrom("clip")
    .innerJoin("clipLocation", "clipLocation.clipId", "clip.id")
    .select((eb) => [
      "id",
      "organizationId",
      "state",
      "fileName",
      "sizeBytes",
      "sha256",
      "sm3",
      "chunkRoot",
      eb.ref("clipLocation.objectKey").$notNull().as("objectKey"),
      eb.ref("clipLocation.versionId").$notNull().as("versionId"),
      eb.ref("clipLocation.generation").$notNull().as("generation"),
      "receivedAt",
      "retainedUntil",
      "mediaType",
      "metadata",
      "collectorNumber",
      "capturedAtRaw",
      "placeText",
      "caseNumber",
      "evidencePurpose",
      "stage",
    ])
    .where("id", "=", clipId)
    .executeTakeFirst();
  if (row === undefined) throw new DocksealError("not-found", { detail: "No such clip" });
  return { ...row, metadata: row.metadata as Json };
}

export type ClipState = "received" | "hashed" | "sealed" | "quarantined";

/**
 * The state of a clip, which stays what it is until the transaction ends. Whoever changes a clip asks first, before
 * everything else in the transaction: so all changes of one clip come one after the other.
 * @throws DocksealError `not-found`.
 */
export async function holdClip(tx: Tx, clipId: string): Promise<ClipState> {
  const row = await tx.selectFrom("clip").select("state").where("id", "=", clipId).forUpdate().executeTakeFirst();
  if (row === undefined) throw new DocksealError("not-found", { detail: "No such clip" });
  return row.state as ClipState;
}

/** The stored bytes were read back and are what came in. */
export async function markHashed(
  tx: Tx,
  clipId: string,
  facts: { sm3: string; chunkRoot: string; retainedUntil: string },
): Promise<void> {
  await tx
    .updateTable("clip")
    .set({ ...facts, state: "hashed" })
    .where("id", "=", clipId)
    .executeTakeFirstOrThrow();
}

export async function markSealed(tx: Tx, clipId: string): Promise<void> {
  await tx
    .updateTable("clip")
    .set({ state: "sealed", sealedAt: sql<string>`clock_timestamp()` })
    .where("id", "=", clipId)
    .where("state", "=", "hashed")
    .executeTakeFirstOrThrow();
}

/** Something about the stored bytes is wrong: kept as it is, served to nobody as evidence, shown by `doctor`. */
export async function markQuarantined(tx: Tx, clipId: string, reason: string): Promise<void> {
  await tx
    .updateTable("clip")
    .set({ state: "quarantined", quarantineReason: reason })
    .where("id", "=", clipId)
    .executeTakeFirstOrThrow();
}

/** The bytes of a sealed clip were put right: it is evidence again. Any other clip stays in quarantine. */
export async function markRestored(tx: Tx, clipId: string): Promise<void> {
  await tx
    .updateTable("clip")
    .set({ state: "sealed", quarantineReason: null })
    .where("id", "=", clipId)
    .where("state", "=", "quarantined")
    .where("sealedAt", "is not", null)
    .execute();
}

/** What ffprobe found out; it says how a clip can be shown, never what it is. */
export async function markExamined(
  tx: Tx,
  clipId: string,
  facts: { kind: Kind; mediaType: string; playable: boolean; unplayableReason: string | null; mediaFacts: Json },
): Promise<void> {
  await tx
    .updateTable("clip")
    .set({ ...facts, mediaFacts: JSON.stringify(facts.mediaFacts) })
    .where("id", "=", clipId)
    .executeTakeFirstOrThrow();
}

const summaryColumns = [
  "clip.id",
  "clip.organizationId",
  "clip.stationId",
  "recorder.serial as recorderSerial",
  "clip.source",
  "clip.state",
  "clip.kind",
  "clip.fileName",
  "clip.mediaType",
  "clip.sizeBytes",
  "clip.sha256",
  "clip.sm3",
  "clip.chunkRoot",
  "clip.collectorNumber",
  "clip.capturedAtRaw",
  "clip.capturedAt",
  "clip.important",
  "clip.caseNumber",
  "clip.evidencePurpose",
  "clip.stage",
  "clip.placeText",
  "clip.receivedAt",
  "clip.sealedAt",
  "clip.retainedUntil",
  "clip.quarantineReason",
  "clip.playable",
  "clip.unplayableReason",
] as const;

/** Rows of clips as lists show them. */
export function clipSummaries(db: Database) {
  return db
    .selectFrom("clip")
    .leftJoin("recorder", "recorder.id", "clip.recorderId")
    .select(summaryColumns)
    .select(sql<boolean>`jsonb_exists(clip.metadata, 'unreadableRanges')`.as("incompleteSource"));
}

export type ClipSummary = Awaited<ReturnType<ReturnType<typeof clipSummaries>["execute"]>>[number];

/** One clip with everything that is known of it. @throws DocksealError `not-found`. */
export async function clipDetail(
  db: Database,
  clipId: string,
): Promise<ClipSummary & { metadata: Json; mediaFacts: Json }> {
  const row = await clipSummaries(db)
    .select(["clip.metadata", "clip.mediaFacts"])
    .where("clip.id", "=", clipId)
    .executeTakeFirst();
  if (row === undefined) throw new DocksealError("not-found", { detail: "No such clip" });
  return { ...row, metadata: row.metadata as Json, mediaFacts: row.mediaFacts as Json };
}

/** How many clips are in which state, and which are in quarantine: for `doctor` and `/metrics`. */
export async function clipFigures(db: Database): Promise<{ states: Record<string, number>; quarantined: string[] }> {
  const quarantined = await db.selectFrom("clip").select("id").where("state", "=", "quarantined").limit(100).execute();
  return { states: await clipStates(db), quarantined: quarantined.map((row) => row.id) };
}

/** How many clips are in which state, of all organizations or of one. */
export async function clipStates(db: Database, organizationId?: string): Promise<Record<string, number>> {
  const rows = await db
    .selectFrom("clip")
    .select(({ fn }) => ["state", fn.countAll<number>().as("count")])
    .$if(organizationId !== undefined, (query) => query.where("organizationId", "=", organizationId ?? ""))
    .groupBy("state")
    .execute();
  return Object.fromEntries(rows.map((row) => [row.state, Number(row.count)]));
}

/** When each of these stations last sent something that was kept: a clip, or the beginning of a resumable upload. */
export async function lastArrivals(
  db: Database,
  stationIds: readonly string[],
): Promise<ReadonlyMap<string, string | null>> {
  const { rows } = await sql<{ id: string; at: string | null }>`
    SELECT asked.id, greatest((SELECT max(received_at) FROM clip WHERE station_id = asked.id),
      (SELECT max(begun_at) FROM upload WHERE station_id = asked.id)) AS at
    FROM unnest(${stationIds}::uuid[]) AS asked(id)`.execute(db);
  return new Map(rows.map(({ id, at }) => [id, at]));
}
