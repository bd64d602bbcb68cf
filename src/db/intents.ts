import { sql } from "kysely";
import type { Database, Tx } from "./database.ts";

/**
 * A write to the evidence store that is under way. The key is noted before the first byte is written, and the note goes
 * in the very transaction that makes the object evidence; whatever is noted and no longer alive is swept.
 * @param purpose `upload`, a resumable one, lives for hours without a process: its own row says when it is over.
 */
export async function beginIntent(
  db: Database | Tx,
  objectKey: string,
  purpose: "original" | "upload" | "derivative" | "checkpoint" | "export",
): Promise<void> {
  await db.insertInto("storeIntent").values({ objectKey, purpose }).executeTakeFirstOrThrow();
}

/** Gives a stored object that is not wanted any more to the sweeper, in the transaction that says so. */
export async function handToSweeper(tx: Tx, objectKey: string, purpose: "export"): Promise<void> {
  await tx
    .insertInto("storeIntent")
    .values({ objectKey, purpose, sweptAt: sql<string>`clock_timestamp()` })
    .executeTakeFirstOrThrow();
}

/** How often a long write must say that it lives, so that a few of its signs may get lost: at most every 20 s. */
export function signOfLifeMs(abandonedSeconds: number): number {
  return Math.min(20_000, abandonedSeconds * 250);
}

/** A sign of life of a long write. */
export async function keepIntentAlive(db: Database, objectKey: string): Promise<void> {
  await db
    .updateTable("storeIntent")
    .set({ aliveAt: sql<string>`clock_timestamp()` })
    .where("objectKey", "=", objectKey)
    .execute();
}

/**
 * Ends an intent: in the transaction that makes the object evidence, or after the object was discarded.
 * @returns false when the sweeper has taken the key: then the object must not become evidence.
 */
export async function endIntent(db: Database | Tx, objectKey: string): Promise<boolean> {
  const row = await db
    .deleteFrom("storeIntent")
    .where("objectKey", "=", objectKey)
    .where("sweptAt", "is", null)
    .returning("objectKey")
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Takes the intent away from its writer: from here on the object cannot become evidence. Waits for a commit of the
 * writer that is still under way.
 * @returns false when there is none to take: the object became evidence, or the sweeper was first.
 */
export async function abandonIntent(db: Database | Tx, objectKey: string): Promise<boolean> {
  const row = await db
    .updateTable("storeIntent")
    .set({ sweptAt: sql<string>`clock_timestamp()` })
    .where("objectKey", "=", objectKey)
    .where("sweptAt", "is", null)
    .returning("objectKey")
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Takes intents that gave no sign of life for that long: from here on their writers cannot commit any more.
 * A taken key comes again after the same time, until {@link forgetIntent}: a write that was already on its way into the
 * store may end after the first sweep. `again` says that this is such a later time.
 */
export async function takeAbandonedIntents(
  db: Database,
  abandonedSeconds: number,
  limit = 100,
): Promise<{ objectKey: string; again: boolean }[]> {
  const { rows } = await sql<{ objectKey: string; again: boolean }>`
    WITH picked AS (
      SELECT object_key, swept_at IS NOT NULL AS again FROM store_intent
      WHERE greatest(alive_at, swept_at) < clock_timestamp() - make_interval(secs => ${abandonedSeconds})
        AND (purpose <> 'upload' OR swept_at IS NOT NULL)
      ORDER BY alive_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)
    UPDATE store_intent SET swept_at = clock_timestamp() FROM picked
    WHERE store_intent.object_key = picked.object_key
    RETURNING picked.object_key, picked.again`.execute(db);
  return rows;
}

/** Drops a swept intent once a sweep found nothing under its key any more. */
export async function forgetIntent(db: Database, objectKey: string): Promise<void> {
  await db.deleteFrom("storeIntent").where("objectKey", "=", objectKey).where("sweptAt", "is not", null).execute();
}
