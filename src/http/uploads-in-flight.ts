import { DocksealError } from "#kernel";

/** The uploads under way in this process, so that a stop can let them finish or end them cleanly. */
export class UploadsInFlight {
  readonly #running = new Map<AbortController, Promise<unknown>>();
  #stopping = false;

  get size(): number {
    return this.#running.size;
  }
  get stopping(): boolean {
    return this.#stopping;
  }

  /**
   * Runs one upload, with a signal that aborts when the server stops for good.
   * @throws DocksealError `shutting-down` when the server takes no more uploads.
   */
  async run<T>(work: (stop: AbortController) => Promise<T>): Promise<T> {
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
