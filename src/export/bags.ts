import { sql } from "kysely";
import { type Database, handToSweeper, inTransaction } from "#db";
import type { PersonActor } from "#identity";
import { DocksealError, newId } from "#kernel";
import { subjectOf } from "./dossier.ts";
import { appendAbout } from "./export-events.ts";

export interface BagForDownload {
  readonly key: string;
  readonly versionId: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Of the tar. */
  readonly fileName: string;
}

/**
 * The bag of an export, after it was noted who fetches it: one event for a session, however many ranges it asks for.
 * @throws DocksealError `not-found`, `export-not-done`, `export-removed`.
 */
export async function fetchBag(db: Database, id: string, person: PersonActor): Promise<BagForDownload> {
  const row = await db
    .selectFrom("export")
    .selectAll()
    .where("id", "=", id)
    .where("organizationId", "=", person.organizationId)
    .executeTakeFirst();
  if (row === undefined) throw new DocksealError("not-found", { detail: "No such export" });
  if (row.removedAt !== null) throw new DocksealError("export-removed");
  const { name, objectKey: key, versionId, sizeBytes, sha256 } = row;
  if (name === null || key === null || versionId === null || sizeBytes === null || sha256 === null) {
    throw new DocksealError("export-not-done", { detail: `state is ${row.state}` });
  }
  await inTransaction(db, async (tx) => {
    const added = await tx
      .insertInto("exportFetch")
      .values({ id: newId(), exportId: id, sessionId: person.sessionId, personId: person.id })
      .onConflict((conflict) => conflict.columns(["sessionId", "exportId"]).doNothing())
      .returning("id")
      .executeTakeFirst();
    if (added === undefined) return;
    const about = { exportId: id, subject: subjectOf(row), actor: person };
    await appendAbout(tx, "export-fetched", { ...about, details: { fetch: added.id, sha256 } });
  });
  return { key, versionId, sizeBytes, sha256, fileName: `${name}.tar` };
}

/**
 * Lets go of bags that were made so many days ago: the sweeper removes them. What was exported stays known.
 * @returns how many.
 */
export function removeOldBags(db: Database, days: number): Promise<number> {
  return inTransaction(db, async (tx) => {
    const { rows } = await sql<{ objectKey: string }>`
      UPDATE export SET removed_at = clock_timestamp()
      WHERE id IN (
        SELECT id FROM export
        WHERE state = 'done' AND removed_at IS NULL AND finished_at < clock_timestamp() - make_interval(days => ${days})
        ORDER BY finished_at LIMIT 100 FOR UPDATE SKIP LOCKED)
      RETURNING object_key`.execute(tx);
    for (const { objectKey } of rows) await handToSweeper(tx, objectKey, "export");
    return rows.length;
  });
}
