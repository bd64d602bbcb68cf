import { sql } from "kysely";
import { clearAlarm, openAlarms, raiseAlarm } from "#custody";
import type { Database } from "#db";
import type { AuditDependencies } from "./dependencies.ts";

/** How the audit stands, for `doctor` and `/metrics`. */
export interface AuditFigures {
  /** When the clip that was not read for the longest time was read last, or sealed; null without sealed clips. */
  readonly oldestCheckAt: string | null;
  /** Findings of all time that were not intact: by outcome. */
  readonly faults: Readonly<Record<string, number>>;
  readonly running: readonly { readonly kind: string; readonly read: number; readonly expected: number }[];
  readonly waitingSamples: number;
  /** How the last run of each kind ended. */
  readonly last: readonly { readonly kind: string; readonly state: string; readonly finishedAt: string }[];
  readonly repairs: number;
}

export async function auditFigures(db: Database): Promise<AuditFigures> {
  const oldest = await sql<{ at: string | null }>`SELECT min(checked_at) AS at FROM (${lastChecks}) AS checks`.execute(
    db,
  );
  const faults = await db
    .selectFrom("fixityItem")
    .select(({ fn }) => ["outcome", fn.countAll<number>().as("count")])
    .where("outcome", "<>", "intact")
    .groupBy("outcome")
    .execute();
  const open = await db
    .selectFrom("fixityRun")
    .select(["kind", "state", "readCount as read", "expectedCount as expected"])
    .where("state", "in", ["waiting", "running"])
    .execute();
  const last = await sql<{ kind: string; state: string; finishedAt: string }>`
    SELECT DISTINCT ON (kind) kind, state, finished_at FROM fixity_run WHERE finished_at IS NOT NULL
    ORDER BY kind, finished_at DESC`.execute(db);
  const repairs = await db
    .selectFrom("clipRepair")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return {
    oldestCheckAt: oldest.rows[0]?.at ?? null,
    faults: Object.fromEntries(faults.map(({ outcome, count }) => [outcome, Number(count)])),
    running: open
      .filter(({ state }) => state === "running")
      .map(({ kind, read, expected }) => ({ kind, read, expected: expected ?? 0 })),
    waitingSamples: open.filter(({ state }) => state === "waiting").length,
    last: last.rows,
    repairs: Number(repairs.count),
  };
}

/** When each clip that was ever sealed was read whole the last time: by the audit, or when it was sealed. */
const lastChecks = sql`
  SELECT id, coalesce((
    SELECT max(checked_at) FROM fixity_item WHERE object_id = clip.id AND outcome <> 'unreadable'), sealed_at) AS checked_at
  FROM clip WHERE sealed_at IS NOT NULL`;

const overdue = { kind: "fixity-overdue", subject: "clips" } as const;

/** Raises or clears the alarm that clips were not read within the days. */
export async function reviewOverdue({ db, settings, clock, log }: AuditDependencies): Promise<void> {
  const limit = new Date(clock.now().getTime() - settings.days * 86_400_000).toISOString();
  const { rows } = await sql<{ count: number; oldest: string | null }>`
    SELECT count(*) AS count, min(checked_at) AS oldest FROM (${lastChecks}) AS checks WHERE checked_at < ${limit}`.execute(
    db,
  );
  const count = Number(rows[0]?.count ?? 0);
  if (count === 0) await clearAlarm(db, overdue);
  else {
    const detail =
      `${count} clips were not read for more than ${settings.days} days, the oldest since ${rows[0]?.oldest}. ` +
      "Let `dockseal work` run, and raise DOCKSEAL_AUDIT_MIB_PER_SECOND when it cannot keep up.";
    if (await raiseAlarm(db, { ...overdue, detail })) log.error({ count }, "clips are overdue for their audit");
  }
}

/** Clears the alarms of derivatives that were made anew since. */
export async function clearRemade(db: Database): Promise<void> {
  for (const { kind, subject, raisedAt } of await openAlarms(db)) {
    const [clipId = "", role] = subject.split("/");
    if (kind !== "fixity-damage" || role === undefined) continue;
    const anew = await db
      .selectFrom("derivative")
      .select("id")
      .where("clipId", "=", clipId)
      .where("role", "=", role)
      .where("createdAt", ">", raisedAt)
      .limit(1)
      .executeTakeFirst();
    if (anew !== undefined) await clearAlarm(db, { kind, subject });
  }
}
