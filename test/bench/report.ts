/** One measured way, as `--json` prints it. */
export interface Row {
  readonly bench: string;
  readonly path: string;
  readonly uploads?: number;
  readonly mibPerSecond?: number;
  readonly perSecond?: number;
  /** Half of all took at most this long, and 99 of 100. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** Against the way of that name in the same round; the median of all rounds. */
  readonly ratioTo?: Readonly<Record<string, number>>;
  /** Of all frames, those that took longer than 50 ms. */
  readonly longFramesPercent?: number;
  /** What the page's main thread computed for a frame; the median. Unlike the time of frames it hardly goes by what else runs. */
  readonly cpuMsPerFrame?: number;
  /** Elements of the document, at most. */
  readonly domNodes?: number;
  /** JavaScript's heap after a collection: before, and afterwards. */
  readonly heapMiB?: readonly [before: number, after: number];
  /** Highest resident memory of the measured process. */
  readonly peakRssMiB?: number;
  /** User and system time of the measured process. */
  readonly cpuSecondsPerGiB?: number;
  /** From the answer to an upload until its receipt is there; the median. */
  readonly receiptMs?: number;
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new Error("no values");
  return (upper + lower) / 2;
}

/** The smallest value that at least `percent` of 100 values do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error("no values");
  return value;
}

/** To so many digits after the point; what is smaller than that keeps its first digit, for nothing measured is 0. */
export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits)) || Number(value.toPrecision(1));
}

/** The rows as lines of a table for people; columns that no row fills are left out. */
export function asTable(rows: readonly Row[]): string {
  const columns: readonly [string, (row: Row) => string | number | undefined][] = [
    ["bench", (row) => row.bench],
    ["path", (row) => row.path],
    ["uploads", (row) => row.uploads],
    ["MiB/s", (row) => row.mibPerSecond],
    ["per second", (row) => row.perSecond],
    ["p50 ms", (row) => row.p50Ms],
    ["p99 ms", (row) => row.p99Ms],
    ["over 50 ms %", (row) => row.longFramesPercent],
    ["CPU ms/frame", (row) => row.cpuMsPerFrame],
    [
      "ratio",
      (row) =>
        Object.entries(row.ratioTo ?? {})
          .map(([to, ratio]) => `${ratio.toFixed(2)} of ${to}`)
          .join(", ") || undefined,
    ],
    ["DOM nodes", (row) => row.domNodes],
    ["heap MiB", (row) => row.heapMiB?.join(" → ")],
    ["peak RSS MiB", (row) => row.peakRssMiB],
    ["CPU s/GiB", (row) => row.cpuSecondsPerGiB],
    ["receipt ms", (row) => row.receiptMs],
  ];
  const filled = columns.filter(([, cell]) => rows.some((row) => cell(row) !== undefined));
  const lines = [
    filled.map(([title]) => title),
    ...rows.map((row) => filled.map(([, cell]) => String(cell(row) ?? ""))),
  ];
  const widths = filled.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
