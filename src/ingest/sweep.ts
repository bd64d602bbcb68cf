import { type Database, forgetIntent, takeAbandonedIntents } from "#db";
import type { EvidenceStore } from "#store";

/**
 * Removes what writes that died left in the store, by the intents they left in the database.
 * @returns how many keys were looked at, and how many objects and unfinished uploads were removed.
 */
export async function sweepAbandonedWrites(
  db: Database,
  store: EvidenceStore,
  abandonedSeconds: number,
): Promise<{ keys: number; versions: number; uploads: number; locked: number }> {
  const sum = { keys: 0, versions: 0, uploads: 0, locked: 0 };
  for (const { objectKey, again } of await takeAbandonedIntents(db, abandonedSeconds)) {
    const removed = await store.discard(objectKey);
    sum.keys += 1;
    sum.versions += removed.versions;
    sum.uploads += removed.uploads;
    sum.locked += removed.locked;
    // Only a later look that finds nothing lets go of the key: a write under way may have ended after the first.
    if (again && removed.versions + removed.uploads + removed.locked === 0) await forgetIntent(db, objectKey);
  }
  return sum;
}
