import { table } from "../../src/cli/table.ts";
import { noTally, type SoakStation, type Way, type WayTally, ways } from "./station.ts";

interface Run {
  readonly minutes: number;
  readonly stations: number;
  readonly seed: number;
  /** From the first byte until nothing was sent any more. */
  readonly loadSeconds: number;
  /** The same with the verification. */
  readonly seconds: number;
  /** By what was killed. */
  readonly kills: Readonly<Record<string, number>>;
  readonly clips: number;
  /** Of acknowledged files, each verified offline. */
  readonly receipts: number;
  readonly storedBytes: number;
  readonly logEntries: number;
  readonly checkpoints: number;
  readonly peakApiMiB: number;
  /** One sentence each. */
  readonly differences: readonly string[];
}

export interface Report extends Run {
  readonly sent: Readonly<Record<Way, WayTally>>;
  readonly acknowledged: number;
  readonly retries: number;
  /** How often which status was answered; 0 is a connection that ended without an answer. */
  readonly answers: Readonly<Record<string, number>>;
}

export function reportOf(stations: readonly SoakStation[], run: Run): Report {
  const sent: Record<Way, WayTally> = { form: noTally(), raw: noTally(), tus: noTally() };
  const answers: Record<string, number> = {};
  for (const { tallies, fleet } of stations) {
    for (const way of ways) sent[way] = sum(sent[way], tallies[way]);
    for (const [status, count] of fleet.answers) answers[status] = (answers[status] ?? 0) + count;
  }
  const { acknowledged, retries } = Object.values(sent).reduce(sum);
  return { ...run, sent, acknowledged, retries, answers };
}

export function tableOf(report: Report): string {
  const names = Object.keys(noTally()) as (keyof WayTally)[];
  const row = (name: string, tally: WayTally) => [name, ...names.map((column) => String(tally[column]))];
  const all = Object.values(report.sent).reduce(sum);
  const counts = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ");
  const answered = Object.entries(report.answers).map(([status, count]) => `${count} × ${status}`);
  const facts: readonly (readonly [string, string | number])[] = [
    ["stations", report.stations],
    ["load and all, seconds", `${report.loadSeconds}, ${report.seconds}`],
    ["receipts verified", `${report.receipts} of ${report.acknowledged}`],
    ["clips", report.clips],
    ["bytes stored", report.storedBytes],
    ["answers (0: none)", answered.join(", ")],
    ["kills", counts(report.kills)],
    ["peak memory of the API, MiB", report.peakApiMiB],
    ["seed", report.seed],
    ["differences", report.differences.length],
  ];
  return [
    table(["way", ...names], [...ways.map((way) => row(way, report.sent[way])), row("all", all)]),
    "",
    ...facts.map(([name, value]) => `${name.padEnd(28)}${value}`),
    ...report.differences.map((sentence) => `differs  ${sentence}`),
  ].join("\n");
}

function sum(one: WayTally, other: WayTally): WayTally {
  const names = Object.keys(one) as (keyof WayTally)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as Record<keyof WayTally, number>;
}
