import type { Retention } from "./port.ts";

/** Whether what is held is COMPLIANCE and reaches at least that far. */
export function reaches(held: Retention | undefined, until: Date): held is Retention {
  return held?.mode === "COMPLIANCE" && held.until.getTime() >= until.getTime();
}

/**
 * The moment to ask for: never before what is held already, and a whole second, rounded up, because some stores keep no
 * fractions and would then hold less than was asked for.
 */
export function extended(held: Retention | undefined, until: Date): Date {
  const latest = Math.max(until.getTime(), held?.until.getTime() ?? 0);
  return new Date(Math.ceil(latest / 1000) * 1000);
}

/** Whether removal is forbidden now. */
export function isHeld(facts: { readonly retention: Retention | undefined; readonly legalHold: boolean }): boolean {
  return facts.legalHold || (facts.retention !== undefined && facts.retention.until.getTime() > Date.now());
}
