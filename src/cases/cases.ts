import { sql } from "kysely";
import { appendEvent } from "#custody";
import type { Database, Tx } from "#db";
import { idCursor, inTransaction, isUniqueViolation, pageOf } from "#db";
import { type Actor, actorName } from "#identity";
import { DocksealError, newId } from "#kernel";

export interface CaseFile {
  readonly id: string;
  readonly organizationId: string;
  readonly number: string;
  readonly title: string | null;
  readonly createdAt: string;
}

/**
 * Opens a case.
 * @throws DocksealError `conflict` when the organization has a case with that number.
 */
export async function openCase(
  db: Database,
  wanted: { organizationId: string; number: string; title?: string | undefined },
  actor: Actor,
): Promise<CaseFile> {
  try {
    return await inTransaction(db, async (tx) => {
      const row = await tx
        .insertInto("caseFile")
        .values({
          id: newId(),
          organizationId: wanted.organizationId,
          number: wanted.number,
          title: wanted.title ?? null,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      await noteOpened(tx, row, actor);
      return row;
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new DocksealError("conflict", { detail: `A case with number ${wanted.number} exists`, cause: error });
  }
}

/** The case with that number, opened when there is none yet: a case number that came with a clip is enough. */
export async function caseNumbered(tx: Tx, organizationId: string, number: string, actor: Actor): Promise<CaseFile> {
  const made = await tx
    .insertInto("caseFile")
    .values({ id: newId(), organizationId, number })
    .onConflict((conflict) => conflict.columns(["organizationId", "number"]).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (made !== undefined) {
    await noteOpened(tx, made, actor);
    return made;
  }
  return tx
    .selectFrom("caseFile")
    .selectAll()
    .where("organizationId", "=", organizationId)
    .where("number", "=", number)
    .executeTakeFirstOrThrow();
}

function noteOpened(tx: Tx, row: CaseFile, actor: Actor): Promise<string> {
  return appendEvent(tx, {
    type: "case.opened",
    caseId: row.id,
    actor,
    details: { number: row.number, title: row.title },
  });
}

/** @throws DocksealError `not-found`, also for a case of another organization. */
export async function caseOf(db: Database | Tx, id: string, organizationId: string): Promise<CaseFile> {
  const row = await db
    .selectFrom("caseFile")
    .selectAll()
    .where("id", "=", id)
    .where("organizationId", "=", organizationId)
    .executeTakeFirst();
  if (row === undefined) throw new DocksealError("not-found", { detail: "No such case" });
  return row;
}

/**
 * Cases of an organization, newest first, those whose number or title contains `search` when it is given, with how many
 * clips are bound to each.
 * @throws DocksealError `malformed-field` for a cursor of another list.
 */
export async function listCases(
  db: Database,
  organizationId: string,
  options: { search?: string | undefined; cursor?: string | undefined; limit: number },
): Promise<{ items: (CaseFile & { clipCount: number })[]; next?: string }> {
  let query = db
    .selectFrom("caseFile")
    .selectAll()
    .select(
      sql<number>`(SELECT count(*) FROM current_binding WHERE case_id = case_file.id AND NOT withdrawn)`.as(
        "clipCount",
      ),
    )
    .where("organizationId", "=", organizationId)
    // Ids begin with the time that they were made.
    .orderBy("id", "desc")
    .limit(options.limit + 1);
  if (options.search !== undefined) {
    const pattern = `%${options.search.replace(/[\\%_]/g, "\\$&")}%`;
    query = query.where((eb) => eb.or([eb("number", "like", pattern), eb("title", "like", pattern)]));
  }
  if (options.cursor !== undefined) query = query.where("id", "<", idCursor(options.cursor));
  return pageOf(await query.execute(), options.limit, ({ id }) => id);
}

/** Cases of an organization that a person opened, newest first. */
export function casesOpenedBy(
  db: Database,
  person: { readonly id: string; readonly organizationId: string },
  limit: number,
): Promise<CaseFile[]> {
  return db
    .selectFrom("caseFile")
    .selectAll()
    .where("organizationId", "=", person.organizationId)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom("custodyEvent")
          .select("custodyEvent.id")
          .whereRef("custodyEvent.caseId", "=", "caseFile.id")
          .where("type", "=", "case.opened")
          .where("actor", "=", actorName({ type: "person", id: person.id })),
      ),
    )
    .orderBy("createdAt", "desc")
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
}

/**
 * The case of that number: of the organization named, or of the only one that has such a case.
 * @throws DocksealError `not-found`; `usage` when several have one.
 */
export async function caseByNumber(db: Database, number: string, organization: string | undefined): Promise<CaseFile> {
  let query = db
    .selectFrom("caseFile")
    .innerJoin("organization", "organization.id", "caseFile.organizationId")
    .select(["caseFile.id", "organization.id as organizationId", "organization.name"])
    .where("number", "=", number);
  if (organization !== undefined) query = query.where("organization.name", "=", organization);
  const [found, another] = await query.orderBy("organization.name").execute();
  if (found === undefined) throw new DocksealError("not-found", { detail: `there is no case ${number}` });
  if (another !== undefined) {
    const names = [found.name, another.name].join(", ");
    throw new DocksealError("usage", { detail: `several organizations have a case ${number} (${names}): say which` });
  }
  return caseOf(db, found.id, found.organizationId);
}
