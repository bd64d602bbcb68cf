import { sql } from "kysely";
import { appendEvent, type FixedCheckpoint } from "#custody";
import { type Database, inTransaction, type Tx } from "#db";
import type { Actor } from "#identity";
import { DocksealError, newId } from "#kernel";
import { auditor } from "./auditor.ts";
import type { AuditDependencies } from "./dependencies.ts";
import { failRun } from "./finish.ts";
import { cycleMs, type RunKind } from "./open-runs.ts";
import { drawSample, sampleSeed, sampleSize } from "./sample.ts";
import { type Amount, expectedAmount, type Scope } from "./scope.ts";

/** One process at a time starts runs: "dock" and "fixi" as two 32-bit numbers. */
const startLock = sql`SELECT pg_advisory_xact_lock(1685021547, 1718188137)`;

const dayMs = 86_400_000;
/** A sealing gets its place in the log within a second; what was sealed so long before a day belongs to its sample. */
const settledMs = 600_000;

/** Starts what is due: the next cycle, the sample of the day. */
export async function startDueRuns(deps: AuditDependencies): Promise<void> {
  await startCycle(deps);
  await announceSample(deps);
  await startWaitingSamples(deps);
}

/**
 * The first cycle starts half of the days after the first clip was sealed, each other one half of the days after the last
 * began, and not before that one is over.
 */
function startCycle({ db, settings, clock }: AuditDependencies): Promise<void> {
  return inTransaction(db, async (tx) => {
    await startLock.execute(tx);
    const now = clock.now();
    const last = await tx
      .selectFrom("fixityRun")
      .select(["state", "createdAt"])
      .where("kind", "=", "cycle")
      .orderBy("createdAt", "desc")
      .limit(1)
      .executeTakeFirst();
    if (last?.state === "running") return;
    const since = last?.createdAt ?? (await firstSealedAt(tx));
    if (since === null || now.getTime() - Date.parse(since) < cycleMs(settings.days)) return;
    const run = { kind: "cycle", organizationId: null, caseId: null, day: null } as const;
    const id = await insertRun(tx, run, { now, due: new Date(now.getTime() + settings.days * dayMs) });
    await begin(tx, { id, kind: "cycle", actor: auditor, now }, { ...everything, logSize: await logSize(tx) });
  });
}

async function firstSealedAt(tx: Tx): Promise<string | null> {
  const row = await tx
    .selectFrom("clip")
    .select(({ fn }) => fn.min("sealedAt").as("first"))
    .executeTakeFirst();
  return row?.first ?? null;
}

/** The day's sample, when there was something to draw from when the day (UTC) began. It waits for a fixed checkpoint. */
async function announceSample({ db, clock }: AuditDependencies): Promise<void> {
  const now = clock.now();
  const day = now.toISOString().slice(0, 10);
  const known = await db
    .selectFrom("fixityRun")
    .select("id")
    .where("kind", "=", "sample")
    .where("day", "=", day)
    .executeTakeFirst();
  if (known !== undefined) return;
  await inTransaction(db, async (tx) => {
    const settled = new Date(Date.parse(day) - settledMs).toISOString();
    if (!(await sealedBefore(tx, settled))) return;
    const due = new Date(Date.parse(day) + 2 * dayMs);
    await insertRun(tx, { kind: "sample", organizationId: null, caseId: null, day }, { now, due });
  });
}

async function sealedBefore(
  tx: Tx,
  moment: string,
  of: { organizationId: string | null; caseId: string | null } = everything,
): Promise<boolean> {
  let query = tx.selectFrom("clip").select("id").where("sealedAt", "<", moment).limit(1);
  if (of.organizationId !== null) query = query.where("organizationId", "=", of.organizationId);
  if (of.caseId !== null) {
    const { caseId } = of;
    query = query.where("id", "in", (eb) => eb.selectFrom("binding").select("clipId").where("caseId", "=", caseId));
  }
  return (await query.executeTakeFirst()) !== undefined;
}

async function startWaitingSamples(deps: AuditDependencies): Promise<void> {
  const { db, clock } = deps;
  const waiting = await db
    .selectFrom("fixityRun")
    .select((eb) => ["id", "dueAt", eb.ref("day").$notNull().as("day")])
    .where("state", "=", "waiting")
    .execute();
  for (const { id, day, dueAt } of waiting) {
    const fixed = await deps.fixedCheckpoint(db, new Date(day));
    if (fixed === undefined) {
      if (clock.now().getTime() < Date.parse(dueAt)) continue;
      await inTransaction(db, (tx) =>
        failRun(tx, { id, kind: "sample" }, "no checkpoint of that day was timestamped or witnessed in time"),
      );
      continue;
    }
    await inTransaction(db, (tx) => startSample(tx, deps, { id, fixed }));
  }
}

async function startSample(
  tx: Tx,
  { settings, clock }: AuditDependencies,
  { id, fixed }: { id: string; fixed: FixedCheckpoint },
): Promise<void> {
  const row = await tx
    .selectFrom("fixityRun")
    .select("id")
    .where("id", "=", id)
    .where("state", "=", "waiting")
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  if (row === undefined) return;
  await countAtLeisure(tx);
  const seed = sampleSeed(fixed.note, fixed.proof);
  // How many there are to be comes from the table of clips; which ones, from the log below the checkpoint.
  const population = await expectedAmount(tx, { ...everything, logSize: fixed.size }, "originals");
  const count = Math.min(population.count, settings.sampleCount ?? sampleSize(population.count));
  const sample = await drawSample(tx, { seed, checkpointSize: fixed.size, count });
  await tx
    .updateTable("fixityRun")
    .set({
      seed,
      checkpointSize: fixed.size,
      checkpointNote: fixed.note,
      checkpointFixedBy: fixed.fixedBy,
      checkpointProof: fixed.proof,
    })
    .where("id", "=", id)
    .execute();
  const scope: Scope = { ...everything, logSize: fixed.size, sample };
  await begin(tx, { id, kind: "sample", actor: auditor, now: clock.now() }, scope, {
    count,
    seed,
    checkpointSize: fixed.size,
  });
}

/**
 * Starts a run over everything of an organization, or over what was ever bound to one of its cases.
 * @returns the run's id.
 * @throws DocksealError `nothing-to-audit`.
 */
export function startManualRun(
  db: Database,
  wanted: { organizationId: string; caseId: string | null; days: number; now: Date },
  actor: Actor,
): Promise<string> {
  const { organizationId, caseId, days, now } = wanted;
  const settled = new Date(now.getTime() - settledMs).toISOString();
  return inTransaction(db, async (tx) => {
    const due = new Date(now.getTime() + days * dayMs);
    const id = await insertRun(tx, { kind: "manual", organizationId, caseId, day: null }, { now, due });
    const scope: Scope = { organizationId, caseId, sample: null, logSize: await logSize(tx) };
    if ((await expectedAmount(tx, scope)).count === 0 && !(await sealedBefore(tx, settled, wanted))) {
      throw new DocksealError("nothing-to-audit");
    }
    await begin(tx, { id, kind: "manual", actor, now }, scope);
    return id;
  });
}

const everything = { organizationId: null, caseId: null, sample: null } as const;

async function insertRun(
  tx: Tx,
  run: { kind: RunKind; organizationId: string | null; caseId: string | null; day: string | null },
  at: { now: Date; due: Date },
): Promise<string> {
  const id = newId();
  const row = await tx
    .insertInto("fixityRun")
    .values({ id, state: "waiting", createdAt: at.now.toISOString(), dueAt: at.due.toISOString(), ...run })
    // Another process announced the sample of the day at the same moment.
    .onConflict((conflict) => conflict.column("day").where("kind", "=", "sample").doNothing())
    .returning("id")
    .executeTakeFirst();
  return row?.id ?? id;
}

async function logSize(tx: Tx): Promise<number> {
  const row = await tx
    .selectFrom("logEntry")
    .select(({ fn }) => fn.max("index").as("last"))
    .executeTakeFirst();
  return row?.last === null || row?.last === undefined ? 0 : row.last + 1;
}

/** Counting everything may take longer than a statement usually may. */
async function countAtLeisure(tx: Tx): Promise<void> {
  await sql`SET LOCAL statement_timeout = '10min'`.execute(tx);
}

/** Fixes what the run is to read, and says so in the log. */
async function begin(
  tx: Tx,
  run: { id: string; kind: RunKind; actor: Actor; now: Date },
  scope: Scope,
  drawn?: { count: number; seed: string; checkpointSize: number },
): Promise<void> {
  await countAtLeisure(tx);
  const amount = await expectedAmount(tx, scope);
  const expected: Amount = { count: drawn?.count ?? amount.count, bytes: amount.bytes };
  await tx
    .updateTable("fixityRun")
    .set({
      state: "running",
      startedAt: run.now.toISOString(),
      logSize: scope.logSize,
      expectedCount: expected.count,
      expectedBytes: expected.bytes,
      sample: scope.sample === null ? null : [...scope.sample],
    })
    .where("id", "=", run.id)
    .execute();
  await appendEvent(tx, {
    type: "audit.started",
    subject: { run: run.id, ...(scope.caseId === null ? {} : { case: scope.caseId }) },
    actor: run.actor,
    details: {
      kind: run.kind,
      logSize: scope.logSize,
      expected: { ...expected },
      ...(drawn === undefined ? {} : { seed: drawn.seed, checkpointSize: drawn.checkpointSize }),
    },
  });
  if (expected.count === 0) await failRun(tx, run, "there was nothing to read");
}
