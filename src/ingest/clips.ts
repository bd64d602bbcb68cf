import { type SqlBool, sql } from "kysely";
import type { Database, Tx } from "#db";
import { DocksealError, type Json } from "#kernel";
import type { Kind } from "./metadata.ts";

/** What workers need to know of a clip. */
export interface ClipRecord {
  readonly id: string;
  readonly organizationId: string;
  readonly state: string;
  readonly fileName: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly sm3: string | null;
  readonly objectKey: string;
  readonly versionId: string;
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
    .select([
      "id",
      "organizationId",
      "state",
      "fileName",
      "sizeBytes",
      "sha256",
      "sm3",
      "objectKey",
      "versionId",
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

export interface ClipFilter {
  readonly organizationId: string;
  readonly stationId?: string;
  readonly state?: string;
  /** true: waits for a case (has no binding that holds); false: is bound. */
  readonly unbound?: boolean;
  readonly caseId?: string;
  readonly sha256?: string;
  readonly cursor?: string;
  readonly limit: number;
}

function clipSummaries(db: Database) {
  return db.selectFrom("clip").innerJoin("recorder", "recorder.id", "clip.recorderId").select(summaryColumns);
}

export type ClipSummary = Awaited<ReturnType<ReturnType<typeof clipSummaries>["execute"]>>[number];

/**
 * Clips of an organization, newest first.
 * @returns one page, and the cursor of the next when there is one.
 */
export async function listClips(db: Database, filter: ClipFilter): Promise<{ clips: ClipSummary[]; next?: string }> {
  const holds = sql<SqlBool>`EXISTS (SELECT FROM current_binding WHERE current_binding.clip_id = clip.id AND NOT withdrawn)`;
  let query = clipSummaries(db)
    .where("clip.organizationId", "=", filter.organizationId)
    .orderBy("clip.receivedAt", "desc")
    .orderBy("clip.id", "desc")
    .limit(filter.limit + 1);
  if (filter.stationId !== undefined) query = query.where("clip.stationId", "=", filter.stationId);
  if (filter.state !== undefined) query = query.where("clip.state", "=", filter.state);
  if (filter.sha256 !== undefined) query = query.where("clip.sha256", "=", filter.sha256);
  if (filter.unbound !== undefined) query = query.where(filter.unbound ? sql<SqlBool>`NOT ${holds}` : holds);
  if (filter.caseId !== undefined) {
    query = query.where(
      sql<SqlBool>`EXISTS (SELECT FROM current_binding WHERE current_binding.clip_id = clip.id AND NOT withdrawn AND case_id = ${filter.caseId})`,
    );
  }
  if (filter.cursor !== undefined) {
    const [receivedAt, id] = readCursor(filter.cursor);
    query = query.where(sql<SqlBool>`(clip.received_at, clip.id) < (${receivedAt}::timestamptz, ${id}::uuid)`);
  }
  const rows = await query.execute();
  const page = rows.slice(0, filter.limit);
  const last = page.at(-1);
  if (rows.length <= filter.limit || last === undefined) return { clips: page };
  return { clips: page, next: Buffer.from(`${last.receivedAt} ${last.id}`).toString("base64url") };
}

function readCursor(cursor: string): [receivedAt: string, id: string] {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(
    Buffer.from(cursor, "base64url").toString(),
  );
  if (match?.[1] === undefined || match[2] === undefined || !isInstant(match[1])) {
    throw new DocksealError("malformed-field", {
      extra: { errors: [{ field: "cursor", problem: "is not a cursor of this list" }] },
    });
  }
  return [match[1], match[2]];
}

/** Date.parse takes 31 April for 1 May; PostgreSQL refuses it. */
function isInstant(text: string): boolean {
  const time = Date.parse(text);
  return !Number.isNaN(time) && new Date(time).toISOString().slice(0, 19) === text.slice(0, 19);
}

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
  const states = await db
    .selectFrom("clip")
    .select(({ fn }) => ["state", fn.countAll<number>().as("count")])
    .groupBy("state")
    .execute();
  const quarantined = await db.selectFrom("clip").select("id").where("state", "=", "quarantined").limit(100).execute();
  return {
    states: Object.fromEntries(states.map((row) => [row.state, Number(row.count)])),
    quarantined: quarantined.map((row) => row.id),
  };
}
