import { DocksealError } from "#kernel";

/** Bytes set aside for one put. Releasing twice is harmless. */
export interface Reservation {
  readonly bytes: number;
  release(): void;
}

/**
 * One count of bytes for a whole process: what all uploads together may hold in memory. Nobody waits here: an upload
 * that does not fit is refused before a byte of it is read (`no-budget`), because a queue of open connections would
 * itself hold what the budget forbids.
 */
export class MemoryBudget {
  readonly bytes: number;
  #reserved = 0;

  /** @param bytes the limit, a positive integer. */
  constructor(bytes: number) {
    if (!Number.isSafeInteger(bytes) || bytes <= 0) throw new RangeError(`memory budget of ${bytes} bytes`);
    this.bytes = bytes;
  }

  get freeBytes(): number {
    return this.bytes - this.#reserved;
  }

  /** @throws DocksealError `no-budget` when `bytes` are not free now. */
  reserve(bytes: number): Reservation {
    const reservation = this.tryReserve(bytes);
    if (reservation === undefined) throw new DocksealError("no-budget", { retryAfterSeconds: 5 });
    return reservation;
  }

  /**
   * Sets `most` aside while a quarter of what is free has room for it: others want to come in too. Otherwise `least`.
   * @throws DocksealError `no-budget`.
   */
  reserveUpTo(most: number, least: number): Reservation {
    return this.reserve(most <= this.freeBytes / 4 ? most : least);
  }

  /** Undefined when `bytes` are not free now. */
  tryReserve(bytes: number): Reservation | undefined {
    if (!Number.isSafeInteger(bytes) || bytes <= 0) throw new RangeError(`reservation of ${bytes} bytes`);
    if (bytes > this.freeBytes) return undefined;
    this.#reserved += bytes;
    let held = true;
    return {
      bytes,
      release: () => {
        if (held) this.#reserved -= bytes;
        held = false;
      },
    };
  }
}
