import { type Database, isUniqueViolation, type Tx } from "#db";
import { DocksealError, newId } from "#kernel";

/** @throws DocksealError `conflict` when the name is taken. */
export async function createOrganization(
  tx: Tx,
  name: string,
  parentId?: string,
): Promise<{ id: string; name: string }> {
  const id = newId();
  await unlessTaken(`An organization named ${JSON.stringify(name)} exists`, () =>
    tx
      .insertInto("organization")
      .values({ id, name, parentId: parentId ?? null })
      .executeTakeFirstOrThrow(),
  );
  return { id, name };
}

/** The organization of that name, made when there is none. @returns its id. */
export async function ensureOrganization(tx: Tx, name: string): Promise<string> {
  const known = await tx.selectFrom("organization").select("id").where("name", "=", name).executeTakeFirst();
  return known?.id ?? (await createOrganization(tx, name)).id;
}

export async function organizationName(db: Database, id: string): Promise<string> {
  const { name } = await db.selectFrom("organization").select("name").where("id", "=", id).executeTakeFirstOrThrow();
  return name;
}

/** Words a violated unique constraint as `conflict`. */
export async function unlessTaken<T>(detail: string, insert: () => Promise<T>): Promise<T> {
  try {
    return await insert();
  } catch (error) {
    if (isUniqueViolation(error)) throw new DocksealError("conflict", { detail, cause: error });
    throw error;
  }
}
