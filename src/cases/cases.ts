import { appendEvent } from "#custody";
import type { Database, Tx } from "#db";
import { inTransaction, isUniqueViolation } from "#db";
import type { Actor } from "#identity";
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

/** Cases of an organization, newest first, those whose number contains `search` when it is given. */
export function listCases(
  db: Database,
  organizationId: string,
  options: { search?: string; limit: number },
): Promise<CaseFile[]> {
  let query = db
    .selectFrom("caseFile")
    .selectAll()
    .where("organizationId", "=", organizationId)
    .orderBy("createdAt", "desc")
    .orderBy("id", "desc")
    .limit(options.limit);
  if (options.search !== undefined) {
    query = query.where("number", "like", `%${options.search.replace(/[\\%_]/g, "\\$&")}%`);
  }
  return query.execute();
}
