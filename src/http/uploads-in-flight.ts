import { DocksealError } from "#kernel";

/**
 * The uploads under way in this process, so that a stop can let them finish or end them cleanly, and no station takes
 * the places of all others.
 */
export class UploadsInFlight {
  readonly #running = new Map<AbortController, Promise<unknown>>();
  readonly #ofStation = new Map<string, number>();
  readonly #mostOfStation: number;
  #stopping = false;

  constructor(mostOfStation: number) {
    this.#mostOfStation = mostOfStation;
  }

  /** Requests that bring bytes now. */
  get size(): number {
    return [...this.#ofStation.values()].reduce((sum, running) => sum + running, 0);
  }
  get stopping(): boolean {
    return this.#stopping;
  }

  /**
   * Runs a request of a station that brings bytes, with a signal that aborts when the server stops for good.
   * @throws DocksealError `shutting-down` when the server takes no more uploads, `too-many-uploads` when it takes no
   * more of this station.
   */
  async run<T>(stationId: string, work: (stop: AbortController) => Promise<T>): Promise<T> {
    const before = this.#ofStation.get(stationId) ?? 0;
    if (!this.#stopping && before >= this.#mostOfStation) {
      const detail = `${before} uploads of this station are running`;
      throw new DocksealError("too-many-uploads", { detail, retryAfterSeconds: 5 });
    }
    this.#ofStation.set(stationId, before + 1);
    try {
      return await this.attend(work);
    } finally {
      const others = (this.#ofStation.get(stationId) ?? 1) - 1;
      if (others === 0) this.#ofStation.delete(stationId);
      else this.#ofStation.set(stationId, others);
    }
  }

  /**
   * Runs a request about an upload that brings no bytes: it takes no place, so that a station whose places are all taken
   * can still ask how far it is, and end what it does not want. A stop waits for it all the same.
   * @throws DocksealError `shutting-down`.
   */
  async attend<T>(work: (stop: AbortController) => Promise<T>): Promise<T> {
    if (this.#stopping) throw new DocksealError("shutting-down", { retryAfterSeconds: 10 });
    const stop = new AbortController();
    const running = work(stop);
    this.#running.set(stop, running);
    try {
      return await running;
    } finally {
      this.#running.delete(stop);
    }
  }

  /** Takes no more uploads; waits for those that run, ends those that still run at the deadline, and waits for their clean-up. */
  async drain(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    const timer = setTimeout(() => {
      for (const stop of this.#running.keys())
        stop.abort(new DocksealError("shutting-down", { retryAfterSeconds: 10 }));
    }, deadlineMs);
    await Promise.allSettled(this.#running.values());
    clearTimeout(timer);
  }
}
