/** What several clips have of one fact. */
export interface InCommon {
  /** Each value once, as they came; of clips without one there is none. */
  readonly values: readonly string[];
  /** How many clips have none. */
  readonly missing: number;
  /** The value that all of them have. */
  readonly same: string | undefined;
}

export function inCommon(facts: readonly (string | null)[]): InCommon {
  const known = facts.filter((fact) => fact !== null && fact !== "");
  const values = [...new Set(known as string[])];
  const missing = facts.length - known.length;
  return { values, missing, same: missing === 0 && values.length === 1 ? values[0] : undefined };
}
