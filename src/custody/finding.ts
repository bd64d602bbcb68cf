/** One difference that `dockseal fsck` names. */
export interface Finding {
  /** What kind of thing differs, e.g. `log-tile` or `clip`. */
  readonly kind: string;
  /** Which one. */
  readonly subject: string;
  /** In what it differs: a sentence for people. */
  readonly detail: string;
}

/** Told about each difference as it is found; looking goes on. */
export type Report = (finding: Finding) => void;

/** Words a refusal as a difference: a proof that does not hold, or bytes that are not of their form. */
export function reportRefused(report: Report, kind: string, subject: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    report({ kind, subject, detail: error instanceof Error ? error.message : String(error) });
  }
}
