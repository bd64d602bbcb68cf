const everyMs = 200;
const width = 30;

/** One line that is written over: for a person at a terminal. */
export class ProgressBar {
  readonly #write: (text: string) => void;
  readonly #totalBytes: number | undefined;
  #bytes = 0;
  #drawnAt = 0;
  readonly #now: () => number;
  readonly #startedAt: number;

  /**
   * @param totalBytes undefined: nobody knows how much will come.
   * @param now milliseconds of a clock that nobody sets.
   */
  constructor(
    write: (text: string) => void,
    totalBytes: number | undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#write = write;
    this.#totalBytes = totalBytes;
    this.#now = now;
    this.#startedAt = now();
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    const now = this.#now();
    if (now - this.#drawnAt < everyMs) return;
    this.#drawnAt = now;
    this.#write(`\r\u001b[K${barText(this.#bytes, this.#totalBytes, (now - this.#startedAt) / 1000)}`);
  }

  /** Makes room for a line of another kind. */
  clear(): void {
    if (this.#drawnAt > 0) this.#write("\r\u001b[K");
  }
}

/** What went twice counts once it is all there: never more than the whole. */
export function barText(bytes: number, totalBytes: number | undefined, seconds: number): string {
  const mib = (count: number): string => `${(count / 1024 / 1024).toFixed(1)} MiB`;
  const speed = `${mib(seconds > 0 ? bytes / seconds : 0)}/s`;
  if (totalBytes === undefined || totalBytes === 0) return `${mib(bytes)}  ${speed}`;
  const share = Math.min(bytes / totalBytes, 1);
  const full = Math.round(share * width);
  const bar = `[${"#".repeat(full)}${".".repeat(width - full)}]`;
  return `${bar} ${Math.floor(share * 100)} %  ${mib(Math.min(bytes, totalBytes))} of ${mib(totalBytes)}  ${speed}`;
}
