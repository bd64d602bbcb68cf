import { sql } from "kysely";
import type { Database, Tx } from "#db";
import { newId } from "#kernel";

/** Something that a person has to look at. Open until it is over; kept for ever. */
export interface Alarm {
  readonly id: string;
  /** What kind of thing is wrong, e.g. `log-forked`, `fixity-damage`. Lower-case words with hyphens. */
  readonly kind: string;
  /** What it is about: a clip's id, a witness's name, the log's origin. No personal data. */
  readonly subject: string;
  /** One sentence that says what was found and what to do. */
  readonly detail: string;
  readonly raisedAt: string;
  readonly lastSeenAt: string;
}

/**
 * Raises an alarm, or says again that it still holds.
 * @returns true when it is news: then tell the log of the process as well.
 */
export async function raiseAlarm(
  db: Database | Tx,
  alarm: Pick<Alarm, "kind" | "subject" | "detail">,
): Promise<boolean> {
  const id = newId();
  const row = await db
    .insertInto("alarm")
    .values({ id, ...alarm })
    .onConflict((conflict) =>
      conflict
        .columns(["kind", "subject"])
        .where("clearedAt", "is", null)
        .doUpdateSet({ detail: alarm.detail, lastSeenAt: sql<string>`clock_timestamp()` }),
    )
    .returning("id")
    .executeTakeFirstOrThrow();
  return row.id === id;
}

/** Says that it is over. @returns false when no such alarm was open. */
export async function clearAlarm(db: Database | Tx, alarm: Pick<Alarm, "kind" | "subject">): Promise<boolean> {
  const cleared = await db
    .updateTable("alarm")
    .set({ clearedAt: sql<string>`clock_timestamp()` })
    .where("kind", "=", alarm.kind)
    .where("subject", "=", alarm.subject)
    .where("clearedAt", "is", null)
    .executeTakeFirstOrThrow();
  return Number(cleared.numUpdatedRows) > 0;
}

/** Alarms that are open, oldest first. */
export function openAlarms(db: Database | Tx): Promise<Alarm[]> {
  return db
    .selectFrom("alarm")
    .select(["id", "kind", "subject", "detail", "raisedAt", "lastSeenAt"])
    .where("clearedAt", "is", null)
    .orderBy("raisedAt")
    .execute();
}
