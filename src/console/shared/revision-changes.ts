import type { Binding } from "../api/types.ts";

const fields = [
  ...(["caseId", "evidencePurpose", "stage", "capturedAt", "capturePlace", "collectorNumber", "withdrawn"] as const),
] as const;

export interface Change {
  readonly field: (typeof fields)[number];
  readonly from: string | boolean | null;
  readonly to: string | boolean | null;
}

/** What a revision changed of the one before it. */
export function changesOf(before: Binding, after: Binding): Change[] {
  return fields
    .map((field) => ({ field, from: before[field], to: after[field] }))
    .filter(({ from, to }) => from !== to);
}
