import { pause } from "#kernel";
import { checkClaim } from "./check.ts";
import { nextClaim } from "./claims.ts";
import type { AuditDependencies } from "./dependencies.ts";
import { clearRemade, reviewOverdue } from "./figures.ts";
import { endRun } from "./finish.ts";
import { isLate, isRunWaitedFor, mayReadOn, openRuns } from "./open-runs.ts";
import { replicateRound } from "./replicate.ts";
import { startDueRuns } from "./start.ts";

/**
 * Starts what is due, and reads the next object that is to be read now.
 * @returns false when there was none: then look again later.
 */
export async function auditRound(deps: AuditDependencies, signal: AbortSignal): Promise<boolean> {
  await startDueRuns(deps);
  for (const run of await openRuns(deps.db)) {
    if (isLate(run, deps.clock.now())) {
      await endRun(deps, run);
      continue;
    }
    if (!mayReadOn(run, deps.settings.days, deps.clock.now())) continue;
    const claim = await nextClaim(deps.db, run, deps.settings.leaseSeconds, deps.feed);
    if (claim === undefined) {
      await endRun(deps, run);
      continue;
    }
    await checkClaim(deps, run, claim, signal);
    return true;
  }
  return false;
}

/** How often, at most, all clips are looked through for overdue ones. */
const reviewMs = 600_000;

/** How soon a run is begun that somebody has started, and waits for. */
const lookMs = 2_000;

/** Audits until the signal aborts. Every process may run it; each object is read by one of them. */
export async function runAudit(deps: AuditDependencies, signal: AbortSignal, pauseMs: number): Promise<void> {
  let reviewed = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    let more = false;
    try {
      more = await auditRound(deps, signal);
      if (!more) await clearRemade(deps.db);
      if (performance.now() - reviewed > reviewMs) {
        await reviewOverdue(deps);
        reviewed = performance.now();
      }
    } catch (err) {
      deps.log.warn({ err }, "the audit could not go on; it is tried again");
      more = false;
    }
    for (let rested = 0; !more && rested < pauseMs && !signal.aborted; rested += lookMs) {
      await pause(Math.min(lookMs, pauseMs - rested), signal);
      // When it cannot be asked, the next round says why.
      more = await isRunWaitedFor(deps.db).catch(() => false);
    }
  }
}

/** Keeps the replica complete until the signal aborts, when there is one. */
export async function runReplication(deps: AuditDependencies, signal: AbortSignal, pauseMs: number): Promise<void> {
  while (deps.replica !== undefined && !signal.aborted) {
    let copied = 0;
    try {
      copied = await replicateRound(deps, signal);
    } catch (err) {
      deps.log.warn({ err }, "the replica could not be brought up to date; it is tried again");
    }
    if (copied === 0) await pause(pauseMs, signal);
  }
}
