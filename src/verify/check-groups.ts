import { type Check, type CheckList, outcomeOf } from "./check-list.ts";

interface Group {
  passed: number;
  total: number;
  good: string;
  readonly failures: string[];
  /** Reason to how often. */
  readonly notChecked: Map<string, number>;
}

const emptyGroup = (): Group => ({ passed: 0, total: 0, good: "", failures: [], notChecked: new Map() });

/**
 * The same checks made of many things: a line for those that passed, with their number, a line for each that failed, with
 * its name, and a line for each reason why some could not be made.
 */
export class CheckGroups {
  readonly #groups = new Map<string, Group>();

  /** As CheckList.make. @param subject which of the many it is, e.g. a path. */
  make<T>(name: string, good: string, subject: string, run: () => T): T | undefined {
    const outcome = outcomeOf(run);
    const passed = outcome.status === "passed";
    this.add(subject, { name, status: outcome.status, detail: passed ? good : outcome.detail });
    return passed ? outcome.found : undefined;
  }

  /** Takes the outcome of a check that was made elsewhere. */
  add(subject: string, { name, status, detail }: Check): void {
    const group = this.#groups.get(name) ?? emptyGroup();
    this.#groups.set(name, group);
    group.total += 1;
    if (status === "failed") group.failures.push(`${subject}: ${detail}`);
    else if (status === "not-checked") group.notChecked.set(detail, (group.notChecked.get(detail) ?? 0) + 1);
    else {
      group.passed += 1;
      group.good = detail;
    }
  }

  /** Writes the lines, in the order in which the checks were first made. */
  into(list: CheckList): void {
    for (const [name, { passed, total, good, failures, notChecked }] of this.#groups) {
      if (passed > 0) list.checks.push({ name, status: "passed", detail: `${passed} of ${total}: ${good}` });
      for (const detail of failures) list.checks.push({ name, status: "failed", detail });
      for (const [why, count] of notChecked) {
        list.checks.push({ name, status: "not-checked", detail: `${count} of ${total}: ${why}` });
      }
    }
  }
}
