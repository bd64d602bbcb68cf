import type { Finding } from "../api/types.ts";

export interface FindingFilter {
  readonly state: Finding["state"];
  readonly kind?: Finding["kind"];
}

const states: readonly string[] = ["open", "acknowledged", "closed"] satisfies Finding["state"][];
const kinds: readonly string[] = [
  ...(["gap-in-sequence", "gap-in-time", "overlap", "late-arrival", "clock-jump", "never-arrived"] as const),
  ...(["incomplete-source", "differs-from-manifest"] as const),
] satisfies Finding["kind"][];

/** What in an address is no filter is left out: then it is what is open. */
export function findingFilterOf({ state, kind }: { state: string | null; kind: string | null }): FindingFilter {
  return {
    state: state !== null && states.includes(state) ? (state as Finding["state"]) : "open",
    ...(kind !== null && kinds.includes(kind) && { kind: kind as Finding["kind"] }),
  };
}
