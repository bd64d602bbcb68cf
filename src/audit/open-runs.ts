import type { Database, Tx } from "#db";
import type { Scope } from "./scope.ts";

export type RunKind = "cycle" | "sample" | "manual";

/** A run that is under way. */
export interface OpenRun {
  readonly id: string;
  readonly kind: RunKind;
  readonly scope: Scope;
  readonly startedAt: string;
  readonly dueAt: string;
  readonly expectedBytes: number;
  readonly readBytes: number;
  readonly expectedCount: number;
  readonly readCount: number;
}

const urgency: readonly string[] = ["manual", "sample", "cycle"] satisfies RunKind[];

/** Runs that are under way, the one that people wait for first. */
export async function openRuns(db: Database | Tx): Promise<OpenRun[]> {
  const rows = await db
    .selectFrom("fixityRun")
    .select((eb) => [
      "id",
      "kind",
      "organizationId",
      "caseId",
      "sample",
      "dueAt",
      "readBytes",
      "readCount",
      eb.ref("expectedCount").$notNull().as("expectedCount"),
      eb.ref("startedAt").$notNull().as("startedAt"),
      eb.ref("logSize").$notNull().as("logSize"),
      eb.ref("expectedBytes").$notNull().as("expectedBytes"),
    ])
    .where("state", "=", "running")
    .orderBy("createdAt")
    .execute();
  return rows
    .map(({ organizationId, caseId, sample, logSize, kind, ...rest }) => ({
      ...rest,
      kind: kind as RunKind,
      scope: { logSize, organizationId, caseId, sample },
    }))
    .sort((one, other) => urgency.indexOf(one.kind) - urgency.indexOf(other.kind));
}

/** Whether a run is under way that a person has started. */
export async function isRunWaitedFor(db: Database): Promise<boolean> {
  const found = await db
    .selectFrom("fixityRun")
    .select("id")
    .where("state", "=", "running")
    .where("kind", "=", "manual" satisfies RunKind)
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

/**
 * Whether a run may read on now. A cycle spreads its reading evenly over half of the days in which everything is to be
 * read: what is sealed during one cycle is read by the end of the next, which makes all of them. The others hurry.
 */
export function mayReadOn(run: OpenRun, days: number, now: Date): boolean {
  if (run.kind !== "cycle" || run.readCount >= run.expectedCount) return true;
  const share = (now.getTime() - Date.parse(run.startedAt)) / cycleMs(days);
  return share >= 1 || run.readBytes < share * run.expectedBytes;
}

/** Its time is over: what is not read by now counts as not read. */
export function isLate(run: Pick<OpenRun, "dueAt">, now: Date): boolean {
  return now.getTime() > Date.parse(run.dueAt);
}

export function cycleMs(days: number): number {
  return (days * 86_400_000) / 2;
}
