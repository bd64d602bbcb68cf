import { sql } from "kysely";
import { type Database, idCursor, inTransaction, pageOf, queueExport, type Tx } from "#db";
import type { Actor, PersonActor, Role } from "#identity";
import { DocksealError, newId, type ProblemCode, problems } from "#kernel";
import { readDossier, type Subject, subjectOf } from "./dossier.ts";
import type { ExportProgress } from "./export-progress.ts";
import type { Exporter } from "./list/electronic-data-list.ts";
import type { WrittenBag } from "./write-bag.ts";

export type ExportState = "pending" | "running" | "done" | "failed";

/** An export as the API shows it. */
export interface ExportView {
  readonly id: string;
  readonly state: ExportState;
  readonly caseId: string | null;
  readonly clipId: string | null;
  readonly requestedBy: { readonly id: string; readonly name: string };
  readonly requestedAt: string;
  readonly finishedAt: string | null;
  /** When the bag was removed again. */
  readonly removedAt: string | null;
  /** Recordings and their playable copies; null until the work began. */
  readonly files: { readonly done: number; readonly total: number | null };
  readonly bytes: { readonly done: number; readonly total: number | null };
  /** Why it failed, or, while it is not over, what stopped the last try. */
  readonly problem: {
    readonly code: string;
    readonly title: string;
    readonly detail: string | null;
    readonly advice: string;
  } | null;
  /** Of the tar. */
  readonly name: string | null;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
  readonly tagManifestSha256: string | null;
}

/**
 * Asks for an export, which a worker will make.
 * @throws DocksealError as {@link readDossier}: what cannot be exported now is refused at once.
 */
export async function requestExport(
  db: Database,
  subject: Subject,
  person: PersonActor,
  traceId: string,
): Promise<ExportView> {
  await readDossier(db, subject, person.organizationId);
  const id = newId();
  await inTransaction(db, async (tx) => {
    const row = { id, organizationId: person.organizationId, requestedBy: person.id, ...subject };
    const { generation } = await tx.insertInto("export").values(row).returning("generation").executeTakeFirstOrThrow();
    await queueExport(tx, { exportId: id, generation, traceId });
  });
  return exportView(db, id, person.organizationId);
}

/** @throws DocksealError `not-found`, also for an export of another organization. */
export async function exportView(db: Database, id: string, organizationId: string): Promise<ExportView> {
  const row = await exportRows(db, organizationId).where("export.id", "=", id).executeTakeFirst();
  if (row === undefined) throw new DocksealError("not-found", { detail: "No such export" });
  return shown(row);
}

/**
 * The exports of a case or of a clip alone, newest first.
 * @throws DocksealError `malformed-field` for a cursor of another list. Another organization's are none.
 */
export async function listExports(
  db: Database,
  subject: Subject,
  filter: { organizationId: string; cursor?: string | undefined; limit: number },
): Promise<{ items: ExportView[]; next?: string }> {
  let query = exportRows(db, filter.organizationId)
    .orderBy("export.id", "desc")
    .limit(filter.limit + 1);
  query =
    "caseId" in subject
      ? query.where("export.caseId", "=", subject.caseId)
      : query.where("export.clipId", "=", subject.clipId);
  if (filter.cursor !== undefined) query = query.where("export.id", "<", idCursor(filter.cursor));
  const { items, ...more } = pageOf(await query.execute(), filter.limit, ({ id }) => id);
  return { items: items.map(shown), ...more };
}

function exportRows(db: Database, organizationId: string) {
  return db
    .selectFrom("export")
    .innerJoin("person", "person.id", "export.requestedBy")
    .selectAll("export")
    .select("person.displayName")
    .where("export.organizationId", "=", organizationId);
}

type ExportRow = Awaited<ReturnType<ReturnType<typeof exportRows>["execute"]>>[number];

function shown(row: ExportRow): ExportView {
  return {
    id: row.id,
    state: row.state as ExportState,
    caseId: row.caseId,
    clipId: row.clipId,
    requestedBy: { id: row.requestedBy, name: row.displayName },
    requestedAt: row.requestedAt,
    finishedAt: row.finishedAt,
    removedAt: row.removedAt,
    files: { done: row.filesDone, total: row.filesTotal },
    bytes: { done: row.bytesDone, total: row.bytesTotal },
    problem: row.problemCode === null ? null : problemShown(row.problemCode, row.problemDetail),
    name: row.name === null ? null : `${row.name}.tar`,
    sizeBytes: row.sizeBytes,
    sha256: row.sha256,
    tagManifestSha256: row.tagManifestSha256,
  };
}

function problemShown(code: string, detail: string | null): ExportView["problem"] {
  const [, title, advice] = problems[code as ProblemCode];
  return { code, title, detail, advice };
}

/** What a worker has to know of an export that is not over. */
export interface WantedExport {
  readonly id: string;
  readonly subject: Subject;
  readonly organizationId: string;
  readonly actor: Pick<Actor, "type" | "id">;
  readonly exporter: Exporter;
}

/** Says that the work begins. @returns undefined when the export is over: then there is nothing to do. */
export async function beginExport(db: Database, id: string): Promise<WantedExport | undefined> {
  const row = await db
    .updateTable("export")
    .set({ state: "running", touchedAt: sql<string>`clock_timestamp()`, filesDone: 0, bytesDone: 0 })
    .where("id", "=", id)
    .where("state", "in", ["pending", "running"])
    .returning(["caseId", "clipId", "organizationId", "requestedBy"])
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const person = await db
    .selectFrom("person")
    .select(["displayName", "role"])
    .where("id", "=", row.requestedBy)
    .executeTakeFirstOrThrow();
  return {
    id,
    subject: subjectOf(row),
    organizationId: row.organizationId,
    actor: { type: "person", id: row.requestedBy },
    exporter: { name: person.displayName, role: person.role as Role },
  };
}

/** How far it is, which is a sign of life as well. */
export async function noteProgress(db: Database, id: string, progress: ExportProgress | undefined): Promise<void> {
  await db
    .updateTable("export")
    .set({ ...progress, touchedAt: sql<string>`clock_timestamp()` })
    .where("id", "=", id)
    .where("state", "=", "running")
    .execute();
}

/** Keeps what stopped a try: for good, or until the next one. */
export async function noteExportProblem(
  db: Database,
  id: string,
  problem: { code: ProblemCode; detail: string | undefined },
  forGood: boolean,
): Promise<void> {
  const { code: problemCode, detail } = problem;
  const over = forGood ? { state: "failed", finishedAt: sql<string>`clock_timestamp()` } : {};
  await db
    .updateTable("export")
    .set({ problemCode, problemDetail: detail?.slice(0, 2000) ?? null, ...over })
    .where("id", "=", id)
    .where("state", "in", ["pending", "running"])
    .execute();
}

export interface StoredBag {
  readonly name: string;
  readonly objectKey: string;
  readonly versionId: string;
  readonly sizeBytes: number;
  /** Of the tar. */
  readonly sha256: string;
}

/** @returns false when another run finished it first. */
export async function finishExport(
  tx: Tx,
  id: string,
  { stored, bag, progress }: { stored: StoredBag; bag: WrittenBag; progress: ExportProgress | undefined },
): Promise<boolean> {
  const row = await tx
    .updateTable("export")
    .set({
      ...stored,
      ...progress,
      state: "done",
      tagManifestSha256: bag.tagManifestSha256,
      finishedAt: sql<string>`clock_timestamp()`,
      problemCode: null,
      problemDetail: null,
    })
    .where("id", "=", id)
    .where("state", "in", ["pending", "running"])
    .returning("id")
    .executeTakeFirst();
  return row !== undefined;
}

/** After so many times in the queue an export is given up. */
const mostGenerations = 12;

/**
 * Queues exports again whose workers vanished, and gives up those that never end. One that was queued again is given longer
 * each time, as steps are.
 * @returns how many were queued again.
 */
export function requeueOverdueExports(db: Database, overdueSeconds: number, traceId: string): Promise<number> {
  return inTransaction(db, async (tx) => {
    const overdue = sql`state IN ('pending', 'running')
      AND touched_at < clock_timestamp() - make_interval(secs => ${overdueSeconds} * least(generation, 12))
      AND NOT EXISTS (SELECT FROM outbox WHERE outbox.export_id = export.id)`;
    await sql`
      UPDATE export SET state = 'failed', finished_at = clock_timestamp(), problem_code = coalesce(problem_code, 'internal')
      WHERE generation >= ${mostGenerations} AND ${overdue}`.execute(tx);
    const { rows } = await sql<{ id: string; generation: number }>`
      UPDATE export SET generation = generation + 1, touched_at = clock_timestamp()
      WHERE id IN (SELECT id FROM export WHERE ${overdue} ORDER BY touched_at LIMIT 100 FOR UPDATE SKIP LOCKED)
      RETURNING id, generation`.execute(tx);
    for (const { id, generation } of rows) await queueExport(tx, { exportId: id, generation, traceId });
    return rows.length;
  });
}
