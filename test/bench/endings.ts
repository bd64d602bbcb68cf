/** What a run has to end, last begun first. Stands where the tests have `t`. */
export class Endings {
  readonly #works: (() => unknown)[] = [];

  teardown(work: () => unknown): void {
    this.#works.push(work);
  }

  /** Ends everything, also when something of it fails. @throws AggregateError of what failed. */
  async end(): Promise<void> {
    const errors: unknown[] = [];
    for (let work = this.#works.pop(); work; work = this.#works.pop()) {
      try {
        await work();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, "not everything was ended");
  }
}
