import type { SystemActor } from "#identity";

/** Who acts when the audit does something by itself. */
export const auditor: SystemActor = { type: "system", id: "audit" };
