/** Columns on a terminal; Chinese characters are two cells wide (Unicode East Asian Width W and F). */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => cells(row[column] ?? ""))));
  const line = (row: readonly string[]): string =>
    row
      .map((text, column) => text + " ".repeat((widths[column] ?? 0) - cells(text)))
      .join("  ")
      .trimEnd();
  return [line(head), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

function cells(text: string): number {
  let count = 0;
  for (const char of text)
    count += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(char)
      ? 2
      : 1;
  return count;
}
