import { sql } from "kysely";
import { type Binding, bindingRevisions, type CaseFile, caseOf } from "#cases";
import { eventsAbout } from "#custody";
import { type Database, inSnapshot, type Tx } from "#db";
import { derivativesOf } from "#derive";
import { type ClipRecord, type ClipSummary, clipDetail, clipRecord } from "#ingest";
import { DocksealError, type Json } from "#kernel";
import { type ClipSeal, hasSealBundle, sealOfClip } from "#seal";
import { safeFileName } from "./bag/names.ts";

/** What is exported. */
export type Subject = { readonly caseId: string } | { readonly clipId: string };

/** As a row names it. */
export function subjectOf({ caseId, clipId }: { caseId: string | null; clipId: string | null }): Subject {
  if (caseId !== null) return { caseId };
  if (clipId !== null) return { clipId };
  throw new Error("an export of nothing");
}

export type StoredDerivative = Awaited<ReturnType<typeof derivativesOf>>[number];

/** A clip with everything of it that goes into a bag, except bytes. */
export interface DossierClip {
  readonly record: ClipRecord;
  readonly detail: ClipSummary & { readonly metadata: Json; readonly mediaFacts: Json };
  readonly seal: ClipSeal;
  /** The signature of the original was published: there is a seal bundle. */
  readonly published: boolean;
  readonly derivatives: readonly StoredDerivative[];
  /** The binding that holds, and the number of its case: of the exported case, or the newest one of an exported clip. */
  readonly binding: (Binding & { readonly caseNumber: string }) | undefined;
}

/** One state of the database, read at once: what an export is about. */
export interface Dossier {
  readonly subject: Subject;
  /** Name of the bag's folder. */
  readonly name: string;
  readonly organization: { readonly id: string; readonly name: string };
  readonly case: CaseFile | undefined;
  readonly clips: readonly DossierClip[];
  /** All revisions of all bindings of the case or clip, oldest first. */
  readonly bindings: readonly Binding[];
  readonly eventIds: readonly string[];
}

/**
 * Reads what is to be exported.
 * @throws DocksealError `not-found`, also for a subject of another organization; `export-refused` when there is nothing to
 * export or a clip is not sealed yet; `quarantined`, naming the clips.
 */
export function readDossier(db: Database, subject: Subject, organizationId: string): Promise<Dossier> {
  return inSnapshot(db, async (tx) => {
    const file = "caseId" in subject ? await caseOf(tx, subject.caseId, organizationId) : undefined;
    const clipIds = "caseId" in subject ? await clipsBoundTo(tx, subject.caseId) : [subject.clipId];
    const records = await inTurn(clipIds, (id) => clipRecord(tx, id));
    if (records.some((record) => record.organizationId !== organizationId)) {
      throw new DocksealError("not-found", { detail: "No such clip" });
    }
    refuseUnfit(records);
    const clips = await inTurn(records, (record) => dossierClip(tx, record, file));
    const organization = await tx
      .selectFrom("organization")
      .select(["id", "name"])
      .where("id", "=", organizationId)
      .executeTakeFirstOrThrow();
    return {
      subject,
      name: file === undefined ? `clip-${clipIds[0]}` : safeFileName(`case-${file.number}`),
      organization,
      case: file,
      clips,
      bindings: await bindingRevisions(tx, subject),
      eventIds: await eventsAbout(tx, { clipIds, caseId: file?.id }),
    };
  });
}

/** One after the other: a transaction has one connection. */
async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** Clips whose binding to the case holds now, in the order of their arrival. */
async function clipsBoundTo(tx: Tx, caseId: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT clip.id FROM clip WHERE EXISTS (
      SELECT FROM current_binding WHERE clip_id = clip.id AND case_id = ${caseId} AND NOT withdrawn)
    ORDER BY clip.received_at, clip.id`.execute(tx);
  return rows.map(({ id }) => id);
}

function refuseUnfit(records: readonly ClipRecord[]): void {
  if (records.length === 0) throw new DocksealError("export-refused", { detail: "no clip is bound to the case" });
  const named = (state: string) => records.filter((record) => record.state === state).map(({ id }) => id);
  const quarantined = named("quarantined");
  if (quarantined.length > 0) {
    throw new DocksealError("quarantined", { detail: `in quarantine: ${quarantined.join(", ")}` });
  }
  const unsealed = [...named("received"), ...named("hashed")];
  if (unsealed.length > 0) {
    throw new DocksealError("export-refused", { detail: `not sealed yet: ${unsealed.join(", ")}` });
  }
}

async function dossierClip(tx: Tx, record: ClipRecord, file: CaseFile | undefined): Promise<DossierClip> {
  const seal = await sealOfClip(tx, record.id);
  if (seal === undefined) throw new Error(`clip ${record.id} is sealed and has no seal`);
  return {
    record,
    detail: await clipDetail(tx, record.id),
    seal,
    published: await hasSealBundle(tx, record.id),
    derivatives: await derivativesOf(tx, record.id),
    binding: await bindingOf(tx, record.id, file),
  };
}

async function bindingOf(tx: Tx, clipId: string, file: CaseFile | undefined): Promise<DossierClip["binding"]> {
  let query = tx
    .selectFrom("currentBinding")
    .innerJoin("caseFile", "caseFile.id", "currentBinding.caseId")
    .selectAll("currentBinding")
    .select("caseFile.number as caseNumber")
    .where("clipId", "=", clipId)
    .where("withdrawn", "=", false)
    .orderBy("currentBinding.createdAt", "desc")
    .orderBy("currentBinding.id")
    .limit(1);
  if (file !== undefined) query = query.where("caseId", "=", file.id);
  return (await query.executeTakeFirst()) as DossierClip["binding"];
}
