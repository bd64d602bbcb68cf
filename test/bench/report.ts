/** One measured way, as `--json` prints it. Megabytes are 10^6 bytes, MiB and GiB powers of two. */
export interface Row {
  readonly bench: string;
  readonly path: string;
  readonly uploads?: number;
  readonly mbPerSecond?: number;
  readonly perSecond?: number;
  /** Against the way of that name in the same round; the median of all rounds. */
  readonly ratioTo?: Readonly<Record<string, number>>;
  /** Highest resident memory of the measured process. */
  readonly peakRssMiB?: number;
  /** User and system time of the measured process. */
  readonly cpuSecondsPerGiB?: number;
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new Error("no values");
  return (upper + lower) / 2;
}

export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** The rows as lines of a table for people; columns that no row fills are left out. */
export function asTable(rows: readonly Row[]): string {
  const columns: readonly [string, (row: Row) => string | number | undefined][] = [
    ["bench", (row) => row.bench],
    ["path", (row) => row.path],
    ["uploads", (row) => row.uploads],
    ["MB/s", (row) => row.mbPerSecond],
    ["per second", (row) => row.perSecond],
    [
      "ratio",
      (row) =>
        Object.entries(row.ratioTo ?? {})
          .map(([to, ratio]) => `${ratio.toFixed(2)} of ${to}`)
          .join(", ") || undefined,
    ],
    ["peak RSS MiB", (row) => row.peakRssMiB],
    ["CPU s/GiB", (row) => row.cpuSecondsPerGiB],
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
