import { type RawBuilder, sql } from "kysely";
import { appendEvent, clearAlarm, raiseAlarm } from "#custody";
import { inTransaction, replanStep, type Tx } from "#db";
import { derivativeStored } from "#derive";
import { type ClipRecord, clipRecord, holdClip } from "#ingest";
import { type ExpectedDigests, lookAtStored, quarantineClip, reasons, type StoredDigests } from "#seal";
import { type ObjectRef, reaches } from "#store";
import { auditor } from "./auditor.ts";
import { type Claim, endClaim, keepClaim, putBackClaim } from "./claims.ts";
import { lockLikeClip } from "./copy-clip.ts";
import type { AuditDependencies } from "./dependencies.ts";
import type { OpenRun } from "./open-runs.ts";
import { repairClip } from "./repair.ts";
import { requireStorePresent } from "./store-presence.ts";

/** What became of one object. `unlocked`: the bytes are right, but the lock on them is gone or shorter than recorded. */
export type Outcome = "intact" | "repaired" | "damaged" | "missing" | "unlocked";

interface Finding {
  readonly outcome: Outcome;
  readonly found: StoredDigests | null;
  readonly expected: ExpectedDigests;
  readonly retainedUntil: string | null;
  readonly reason: string | null;
}

/**
 * Reads one object of a run and records what was found, once. What cannot be read now, because the store or the replica
 * is away, is put back for another try and counts as nothing.
 */
export async function checkClaim(
  deps: AuditDependencies,
  run: OpenRun,
  claim: Claim,
  signal: AbortSignal,
): Promise<void> {
  const { db, settings } = deps;
  const alive = setInterval(
    () => {
      keepClaim(db, claim, settings.leaseSeconds).catch((err: unknown) =>
        deps.log.warn({ err }, "a sign of life of the audit could not be given"),
      );
    },
    Math.min(20_000, settings.leaseSeconds * 250),
  );
  try {
    const finding = await (claim.role === "original"
      ? checkOriginal(deps, run, claim, signal)
      : checkDerivative(deps, claim, signal));
    await inTransaction(db, (tx) => record(tx, claim, finding, deps.store.location));
    if (finding.outcome !== "intact") {
      const { runId, clipId, role } = claim;
      deps.log.error(
        { runId, clipId, role, outcome: finding.outcome, reason: finding.reason },
        "the audit found a fault",
      );
    }
  } catch (error) {
    if (signal.aborted) return putBackClaim(db, claim, { seconds: 0, reason: null });
    const reason = error instanceof Error ? error.message : String(error);
    deps.log.warn({ err: error, runId: claim.runId, clipId: claim.clipId }, "the audit could not read an object");
    // Longer each time, up to twelve times as long, as the reconciler does.
    const seconds = settings.leaseSeconds * Math.min(claim.attempts, 12);
    await putBackClaim(db, claim, { seconds, reason });
  } finally {
    clearInterval(alive);
  }
}

async function checkOriginal(
  deps: AuditDependencies,
  run: OpenRun,
  claim: Claim,
  signal: AbortSignal,
): Promise<Finding> {
  const clip = await clipRecord(deps.db, claim.clipId);
  const ref: ObjectRef = { key: clip.objectKey, versionId: clip.versionId };
  const { intact, found } = await lookAtStored(deps.storeUrl, ref, clip, pace(deps, signal));
  const finding = { found, expected: clip, retainedUntil: null, reason: null };
  if (!intact) {
    if (found === null) await requireStorePresent(deps, clip.id);
    const reason = found === null ? reasons.missing : reasons.differs;
    const repaired = await repairClip(deps, clip, reason, signal);
    const outcome = repaired ? "repaired" : found === null ? "missing" : "damaged";
    return { ...finding, outcome, reason };
  }
  const held = (await deps.store.stat(ref))?.retention;
  const retainedUntil = held?.until.toISOString() ?? null;
  if (clip.retainedUntil !== null && !reaches(held, new Date(clip.retainedUntil))) {
    await lockLikeClip(deps.store, ref, clip);
    const reason = `the lock reaches ${retainedUntil ?? "nowhere"}, not ${clip.retainedUntil} in COMPLIANCE mode`;
    return { ...finding, outcome: "unlocked", retainedUntil, reason };
  }
  // Repaired since this run began, by a reader that died before it could say so, or by another run.
  const outcome = (await repairedSince(deps, clip, run.startedAt)) ? "repaired" : "intact";
  return { ...finding, outcome, retainedUntil };
}

async function repairedSince(deps: AuditDependencies, clip: ClipRecord, since: string): Promise<boolean> {
  const row = await deps.db
    .selectFrom("clipRepair")
    .select("generation")
    .where("clipId", "=", clip.id)
    .where("repairedAt", ">=", since)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

async function checkDerivative(deps: AuditDependencies, claim: Claim, signal: AbortSignal): Promise<Finding> {
  const { ref, ...rest } = await derivativeStored(deps.db, claim.objectId);
  const expected: ExpectedDigests = { ...rest, sm3: null, chunkRoot: null };
  const { intact, found } = await lookAtStored(deps.storeUrl, ref, expected, pace(deps, signal));
  const finding = { found, expected, retainedUntil: null };
  if (intact) return { ...finding, outcome: "intact", reason: null };
  if (found === null) await requireStorePresent(deps, claim.clipId);
  return found === null
    ? { ...finding, outcome: "missing", reason: reasons.missing }
    : { ...finding, outcome: "damaged", reason: "the stored bytes are not what was made" };
}

function pace(deps: AuditDependencies, signal: AbortSignal): { signal: AbortSignal; bytesPerSecond: number } {
  return { signal, bytesPerSecond: deps.settings.bytesPerSecond };
}

/** The finding, its event, the figures of the run and what follows from it: together, and once. */
async function record(tx: Tx, claim: Claim, finding: Finding, location: string): Promise<void> {
  const { runId, objectId, clipId, role } = claim;
  const { outcome, found, expected, reason, retainedUntil } = finding;
  const state = await holdClip(tx, clipId);
  if (!(await endClaim(tx, claim))) return;
  const digests = found === null ? null : { ...found };
  const eventId = await appendEvent(tx, {
    type: "clip.fixity-checked",
    clipId,
    subject: { run: runId },
    actor: auditor,
    details: {
      run: runId,
      role,
      outcome,
      found: digests,
      ...(role === "original" ? { retainedUntil } : { derivative: objectId }),
      ...(reason === null ? {} : { reason, expected: { sizeBytes: expected.sizeBytes, sha256: expected.sha256 } }),
    },
  });
  await tx
    .insertInto("fixityItem")
    .values({
      ...{ runId, objectId, clipId, role, outcome, reason, eventId, retainedUntil },
      sizeBytes: found?.sizeBytes ?? null,
      sha256: found?.sha256 ?? null,
      sm3: found?.sm3 ?? null,
      chunkRoot: found?.chunkRoot ?? null,
    })
    .executeTakeFirstOrThrow();
  // What gives an object is the right store.
  if (found !== null) await clearAlarm(tx, { kind: "fixity-store", subject: location });
  await follow(tx, claim, finding, state === "quarantined");
  const column = sql.ref(`${outcome}_count`) as RawBuilder<number>;
  await sql`
    UPDATE fixity_run SET read_count = read_count + 1, read_bytes = read_bytes + ${found?.sizeBytes ?? 0}, ${column} = ${column} + 1
    WHERE id = ${runId}`.execute(tx);
}

/** What a finding leads to. */
async function follow(
  tx: Tx,
  claim: Claim,
  { outcome, reason, found, expected }: Finding,
  out: boolean,
): Promise<void> {
  const { clipId, role, runId } = claim;
  const alarm = { kind: "fixity-damage", subject: role === "original" ? clipId : `${clipId}/${role}` };
  // repairClip raised and cleared the alarm of what it put right.
  if (outcome === "repaired") return;
  if (outcome === "intact") {
    await clearAlarm(tx, alarm);
    return;
  }
  const what = role === "original" ? "original" : `derivative ${role}`;
  const advice =
    role !== "original"
      ? "It is made anew from the original. Find out what changed the store."
      : outcome === "unlocked"
        ? "It was locked again. Find out who could take the lock away."
        : "The clip is in quarantine: find out what changed the store, and whether a copy exists elsewhere.";
  await raiseAlarm(tx, { ...alarm, detail: `${what} of clip ${clipId}: ${reason}. ${advice}` });
  if (outcome === "unlocked") return;
  if (role !== "original") {
    // A newer revision, or one that is being made, needs no other; what is in quarantine is left as it is.
    if (!out && (await isNewest(tx, claim))) await replanStep(tx, clipId, "transcode", ["done", "failed"], runId);
    return;
  }
  const details = { run: runId, expected: { sizeBytes: expected.sizeBytes, sha256: expected.sha256 }, found };
  await quarantineClip(tx, clipId, {
    actor: auditor,
    reason: reason ?? outcome,
    details: { ...details, found: found && { ...found } },
  });
}

async function isNewest(tx: Tx, { clipId, role, objectId }: Claim): Promise<boolean> {
  const newest = await tx
    .selectFrom("derivative")
    .select("id")
    .where("clipId", "=", clipId)
    .where("role", "=", role)
    .orderBy("revision", "desc")
    .limit(1)
    .executeTakeFirst();
  return newest?.id === objectId;
}
