import type { Report } from "#custody";
import { canonicalBytes, type Json } from "#kernel";

/** Names what a row says otherwise than something that can be believed more. */
export class Comparison {
  readonly #report: Report;
  readonly #kind: string;
  readonly #subject: string;

  constructor(report: Report, kind: string, subject: string) {
    this.#report = report;
    this.#kind = kind;
    this.#subject = subject;
  }

  differs(detail: string): void {
    this.#report({ kind: this.#kind, subject: this.#subject, detail });
  }

  /**
   * Compares members one by one.
   * @param source whose word `expected` is, for people. Members of it that are undefined are not compared: events of an
   *   earlier version do not tell them.
   */
  members(found: Readonly<Record<string, unknown>>, expected: Readonly<Record<string, unknown>>, source: string): void {
    for (const [name, value] of Object.entries(expected)) {
      if (value === undefined || same(found[name], value)) continue;
      this.differs(`${name} is ${shown(found[name])}, in ${source} ${shown(value)}`);
    }
  }

  /** Like {@link members}, for instants in whatever form and to the millisecond. */
  instant(name: string, found: string | null, expected: unknown, source: string): void {
    if (expected === undefined) return;
    if (timeOf(found) !== timeOf(expected)) this.differs(`${name} is ${found}, in ${source} ${shown(expected)}`);
  }
}

function same(found: unknown, expected: unknown): boolean {
  if (found === undefined) return false;
  return canonicalBytes(found as Json).equals(canonicalBytes(expected as Json));
}

function timeOf(value: unknown): number | null {
  return typeof value === "string" ? Date.parse(value) : null;
}

/** Short enough for a line. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
