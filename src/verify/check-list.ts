import { DocksealError } from "#kernel";

export interface Check {
  readonly name: string;
  readonly status: "passed" | "failed" | "not-checked";
  /** One sentence for people. */
  readonly detail: string;
}

export interface Verdict {
  /** True when no check failed. Which were not made, and why, is in `checks`. */
  readonly ok: boolean;
  /** The clip that the log entry names, when it could be read. */
  readonly clipId?: string;
  readonly checks: readonly Check[];
}

/** What became of one check. */
type Outcome<T> =
  | { readonly status: "passed"; readonly found: T }
  | { readonly status: "failed" | "not-checked"; readonly detail: string };

/** Runs one check. What is no outcome of a check, but a fault of the program, is thrown on. */
export function outcomeOf<T>(run: () => T): Outcome<T> {
  try {
    return { status: "passed", found: run() };
  } catch (error) {
    if (error instanceof NotChecked) return { status: "not-checked", detail: error.message };
    if (error instanceof DocksealError) return { status: "failed", detail: error.message };
    throw error;
  }
}

/** Runs checks one after the other, whatever becomes of each. */
export class CheckList {
  readonly checks: Check[] = [];

  /**
   * @param good what a passed check says.
   * @returns what the check found, or undefined when it did not pass.
   */
  make<T>(name: string, good: string, run: () => T): T | undefined {
    const outcome = outcomeOf(run);
    const passed = outcome.status === "passed";
    this.checks.push({ name, status: outcome.status, detail: passed ? good : outcome.detail });
    return passed ? outcome.found : undefined;
  }

  /** No check failed. */
  get ok(): boolean {
    return this.checks.every(({ status }) => status !== "failed");
  }
}

class NotChecked extends Error {}

/** Thrown in a check that cannot be made: it counts neither way. */
export const notChecked = (why: string): NotChecked => new NotChecked(why);

/** Thrown in a check that did not pass. */
export const failed = (why: string): DocksealError => new DocksealError("proof-rejected", { detail: why });

/** The outcome of an earlier check; without it this one cannot be made. */
export function needed<T>(value: T | undefined): T {
  if (value === undefined) throw notChecked("needs what an earlier check did not find");
  return value;
}
