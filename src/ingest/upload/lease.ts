import type { Database } from "#db";
import { giveLeaseBack, keepLease, type Lease, leaseSignMs, locked } from "./rows.ts";

/**
 * Keeps a lease while its holder gets on. One that stands still, with a client that is silent, lets it run out: the
 * client may have come back on another connection. It may go on when nobody took the lease meanwhile.
 */
export class LeaseKeeper {
  readonly lease: Lease;
  readonly #db: Database;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #progress = true;
  #busy = 0;

  /** @param onError told about a sign of life that could not be given; the next may. */
  constructor(db: Database, lease: Lease, expireSeconds: number, onError: (error: unknown) => void) {
    this.#db = db;
    this.lease = lease;
    this.#timer = setInterval(() => {
      if (!this.#progress && this.#busy === 0) return;
      this.#progress = false;
      keepLease(db, lease, expireSeconds).then((kept) => {
        if (!kept) this.#lost.abort(locked());
      }, onError);
    }, leaseSignMs);
  }

  /** Aborts when another has taken the lease. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Something came in. */
  progress(): void {
    this.#progress = true;
  }

  /** While the work runs the holder gets on, whoever it waits for. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
    }
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await giveLeaseBack(this.#db, this.lease);
  }
}
