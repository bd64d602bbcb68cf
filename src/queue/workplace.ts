import { UnrecoverableError, WaitingError } from "bullmq";
import { DocksealError, pause } from "#kernel";
import type { Backend, Consumer, Log, TakenJob } from "./backend.ts";
import { type JobName, type JobPayload, parsePayload } from "./jobs.ts";
import { settledWithin } from "./within.ts";

export interface JobContext {
  /** Aborted when the job has to stop: the queue closes, or the job was given to another worker. */
  readonly signal: AbortSignal;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Percent, for whoever looks at the queue. Best effort: never fails the job. */
  progress(percent: number): Promise<void>;
}

/** Does one job. May run twice for the same clip, even at the same time: the database decides what counts. */
export type JobHandler<N extends JobName> = (payload: JobPayload<N>, context: JobContext) => Promise<void>;

/** One handler a kind of job. */
export type JobHandlers = { readonly [N in JobName]: JobHandler<N> };

export type JobOutcome = "done" | "retry" | "failed" | "stalled";

export interface WorkplaceOptions<N extends JobName> {
  readonly backend: Backend;
  readonly log: Log;
  readonly name: N;
  readonly queueName: string;
  readonly handler: JobHandler<N>;
  readonly concurrency: number;
  readonly lockDurationMs: number;
  readonly onOutcome: (outcome: JobOutcome) => void;
}

/** Where jobs of one kind are done: keeps one BullMQ worker going, through every absence of the server, until closed. */
export class Workplace<N extends JobName = JobName> {
  readonly #options: WorkplaceOptions<N>;
  readonly #closing = new AbortController();
  readonly #running = new Set<{ readonly jobId: string | undefined; readonly control: AbortController }>();
  #worker: Consumer | undefined;
  #lastError = { message: "", at: 0 };

  constructor(options: WorkplaceOptions<N>) {
    this.#options = options;
    void this.#keepWorking();
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closing.abort(new DocksealError("shutting-down"));
    for (const { control } of this.#running) control.abort(this.#closing.signal.reason);
    if (this.#worker === undefined) return;
    if (await settledWithin(this.#worker.close(), deadlineMs)) return;
    const { log, name } = this.#options;
    log.warn(
      { job: name, running: this.#running.size },
      "jobs did not stop in time; they run again once their lock is over",
    );
    await settledWithin(this.#worker.abandon(), 1_000);
  }

  /** BullMQ comes through short absences by itself; a start that failed, or a loop that broke, needs a new worker. */
  async #keepWorking(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#options.backend.ready(this.#closing.signal);
        if (this.#closing.signal.aborted) return;
        this.#worker = this.#hire();
        await this.#worker.waitUntilReady();
        await this.#worker.run();
      } catch (error) {
        this.#note(error);
      }
      if (this.#closing.signal.aborted) return; // close() sees to the worker
      await this.#worker?.abandon().catch((error: unknown) => this.#note(error));
      this.#worker = undefined;
      await pause(1_000, this.#closing.signal);
    }
  }

  #hire(): Consumer {
    const { backend, log, name, queueName, concurrency, lockDurationMs, onOutcome } = this.#options;
    const worker = backend.worker(queueName, (job, token) => this.#do(job, token), {
      autorun: false,
      concurrency,
      lockDuration: lockDurationMs,
      stalledInterval: Math.min(lockDurationMs, 30_000),
      maxStalledCount: 3,
      runRetryDelay: 1_000,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    worker.on("error", (error) => this.#note(error));
    worker.on("completed", () => onOutcome("done"));
    worker.on("stalled", (jobId) => {
      onOutcome("stalled");
      log.warn({ job: name, jobId }, "a job's worker vanished; the job is done again");
    });
    worker.on("failed", (job, error) => {
      const forGood = job?.finishedOn !== undefined;
      onOutcome(forGood ? "failed" : "retry");
      const about = { job: name, jobId: job?.id, attempt: job?.attemptsMade, err: error };
      if (forGood) log.error(about, "job given up");
      else log.warn(about, "job failed and is tried again");
    });
    worker.on("lockRenewalFailed", (jobIds) => {
      for (const { jobId, control } of this.#running) {
        if (jobId !== undefined && jobIds.includes(jobId))
          control.abort(new Error("the job was given to another worker"));
      }
    });
    return worker;
  }

  async #do(job: TakenJob, token: string | undefined): Promise<void> {
    const payload = this.#parse(job);
    const entry = { jobId: job.id, control: new AbortController() };
    this.#running.add(entry);
    try {
      this.#closing.signal.throwIfAborted();
      await this.#options.handler(payload, {
        signal: entry.control.signal,
        attempt: job.attemptsMade + 1,
        progress: (percent) => job.updateProgress(percent).catch((error: unknown) => this.#note(error)),
      });
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error;
      // Not its fault: back to the others at once, without using up a try.
      await job.moveToWait(token);
      throw new WaitingError();
    } finally {
      this.#running.delete(entry);
    }
  }

  #parse(job: TakenJob): JobPayload<N> {
    try {
      if (job.name !== this.#options.name)
        throw new DocksealError("internal", { detail: `job ${job.name} is in the queue of another` });
      return parsePayload(this.#options.name, job.data);
    } catch (error) {
      throw new UnrecoverableError(error instanceof Error ? error.message : String(error)); // trying again would not mend it
    }
  }

  /** While the server is away the same error comes many times a second. */
  #note(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (
      this.#closing.signal.aborted ||
      (message === this.#lastError.message && Date.now() - this.#lastError.at < 10_000)
    )
      return;
    this.#lastError = { message, at: Date.now() };
    this.#options.log.warn({ job: this.#options.name, err: error }, "the queue's worker met an error and goes on");
  }
}
