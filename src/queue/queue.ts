import { DocksealError } from "#kernel";
import type { Backend, Log, Producer } from "./backend.ts";
import { isJobName, type Job, type JobName, jobNames, parsePayload } from "./jobs.ts";
import { openPostgres } from "./postgres.ts";
import { openRedis } from "./redis.ts";
import { settledWithin } from "./within.ts";
import { type JobHandler, type JobHandlers, type JobOutcome, Workplace } from "./workplace.ts";

export interface QueueOptions {
  /** `redis://`, `rediss://` or `postgres://`. */
  readonly url: string;
  readonly log: Log;
  /** Keeps several installations on one server apart. Letters, digits, `-`. Default `dockseal`. */
  readonly prefix?: string;
  /** A worker that says nothing for so long has lost its job to another. Default 5 minutes; renewed at half of it. */
  readonly lockDurationMs?: number;
  /** Tries in all, before a job is dropped and left to the reconciler. Default 5. */
  readonly attempts?: number;
  /** Pause before the second try; doubles each time, less up to half by chance. Default 2 s. */
  readonly retryDelayMs?: number;
  /** Told what became of each try, for metrics. */
  readonly onOutcome?: (name: JobName, outcome: JobOutcome) => void;
}

export interface QueueDepth {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  /** Jobs that the workers of this process gave up since it started; a job given up is not kept. */
  readonly failed: number;
}

export interface QueueHealth {
  /** The queue answers. It may still have problems. */
  readonly ok: boolean;
  readonly backend: "redis" | "postgres";
  /** What could lose jobs or stops them, one sentence each. */
  readonly problems: readonly string[];
  /** Absent when the queue does not answer. */
  readonly depth?: Readonly<Record<JobName, QueueDepth>>;
}

export interface StartOptions {
  /** Jobs of one kind at a time in this process. Default 1. */
  readonly concurrency?: Partial<Record<JobName, number>>;
  /** Only these kinds of job. Default: all. */
  readonly queues?: readonly string[];
}

const sendDeadlineMs = 2_000;

/**
 * Opens the job queue. Connects by itself, now or later, and again after each interruption.
 * @throws DocksealError `configuration-invalid` for a URL of another kind.
 */
export function openQueue(options: QueueOptions): Queue {
  const scheme = options.url.slice(0, options.url.indexOf(":"));
  if (["redis", "rediss"].includes(scheme)) return new Queue(options, openRedis(options.url, options.log));
  if (["postgres", "postgresql"].includes(scheme)) return new Queue(options, openPostgres(options.url, options.log));
  throw new DocksealError("configuration-invalid", {
    detail: "the queue's URL is neither redis://, rediss:// nor postgres://",
  });
}

/** Jobs to be done soon, at least once. What it holds can be lost without loss: the database knows what is undone. */
export class Queue {
  readonly #options: QueueOptions;
  readonly #backend: Backend;
  readonly #producers = new Map<JobName, Producer>();
  readonly #workplaces = new Map<JobName, { close(deadlineMs: number): Promise<void> }>();
  readonly #failed = new Map<JobName, number>();
  #closed: Promise<void> | undefined;

  constructor(options: QueueOptions, backend: Backend) {
    this.#options = options;
    this.#backend = backend;
  }

  /** Adds one job. @throws DocksealError `queue-unavailable` within about two seconds, `internal` for a bad payload. */
  async add(job: Job): Promise<void> {
    await this.addBulk([job]);
  }

  /** Adds jobs; when it throws, some may have been added. */
  async addBulk(jobs: readonly Job[]): Promise<void> {
    const byName = Map.groupBy(jobs, (job) => job.name);
    for (const job of jobs) {
      parsePayload(job.name, job.payload);
      if (!/^(?=.*[A-Za-z._-])[A-Za-z0-9._-]{1,200}$/.test(job.jobId)) {
        throw new DocksealError("internal", { detail: `job id ${JSON.stringify(job.jobId)} has the wrong form` });
      }
    }
    const { attempts = 5, retryDelayMs = 2_000 } = this.#options;
    const opts = {
      attempts,
      backoff: { type: "exponential", delay: retryDelayMs, jitter: 0.5 },
      // A finished job that stayed would swallow the next one of its id, without a word.
      removeOnComplete: true,
      removeOnFail: true,
      stackTraceLimit: 1,
    };
    await this.#speak(sendDeadlineMs + jobs.length, async (signal) => {
      for (const [name, some] of byName) {
        const producer = await this.#producer(name);
        signal.throwIfAborted(); // told the caller already that it failed
        await producer.addBulk(some.map(({ payload, jobId }) => ({ name, data: payload, opts: { ...opts, jobId } })));
      }
    });
  }

  /** Does jobs of one kind from now on. */
  work<N extends JobName>(name: N, handler: JobHandler<N>, { concurrency = 1 }: { concurrency?: number } = {}): void {
    if (this.#closed !== undefined) throw new DocksealError("shutting-down");
    if (this.#workplaces.has(name)) {
      throw new DocksealError("configuration-invalid", { detail: `job ${name} has two handlers` });
    }
    const onOutcome = (outcome: JobOutcome) => {
      if (outcome === "failed") this.#failed.set(name, (this.#failed.get(name) ?? 0) + 1);
      this.#options.onOutcome?.(name, outcome);
    };
    const { log, lockDurationMs = 5 * 60_000 } = this.#options;
    const queueName = this.#nameOf(name);
    const place = { backend: this.#backend, log, name, queueName, handler, concurrency, lockDurationMs, onOutcome };
    this.#workplaces.set(name, new Workplace(place));
  }

  /**
   * Does jobs of every kind, or of those asked for.
   * @throws DocksealError `configuration-invalid` when a kind has no handler, or a name is no kind of job.
   */
  startAll(handlers: Partial<JobHandlers>, { concurrency = {}, queues = jobNames }: StartOptions = {}): void {
    const unknown = [...Object.keys(handlers), ...queues].filter((name) => !isJobName(name));
    const wanted = jobNames.filter((name) => queues.includes(name));
    const missing = wanted.filter((name) => handlers[name] === undefined);
    const faults = [
      ...unknown.map((name) => `there is no job ${name}`),
      ...missing.map((name) => `job ${name} has no handler`),
    ];
    if (faults.length > 0) throw new DocksealError("configuration-invalid", { detail: faults.join("; ") });
    const start = <N extends JobName>(name: N, handler: JobHandler<N> | undefined): void => {
      if (handler !== undefined) this.work(name, handler, { concurrency: concurrency[name] ?? 1 });
    };
    for (const name of wanted) start(name, handlers[name]);
  }

  async health(): Promise<QueueHealth> {
    const backend = this.#backend.kind;
    try {
      return await this.#speak(sendDeadlineMs, async () => {
        const depths = jobNames.map(async (name): Promise<[JobName, QueueDepth]> => {
          const producer = await this.#producer(name);
          const { wait = 0, active = 0, delayed = 0 } = await producer.getJobCounts("wait", "active", "delayed");
          return [name, { waiting: wait, active, delayed, failed: this.#failed.get(name) ?? 0 }];
        });
        const depth = Object.fromEntries(await Promise.all(depths)) as Record<JobName, QueueDepth>;
        return { ok: true, backend, problems: await this.#backend.findProblems(), depth };
      });
    } catch (error) {
      if (!(error instanceof DocksealError)) throw error;
      return { ok: false, backend, problems: [error.message] };
    }
  }

  /**
   * Stops taking jobs, aborts the running ones and puts them back, for at most `deadlineMs`; then lets go of the rest:
   * they run again elsewhere once their lock is over. No handle stays open.
   */
  close({ deadlineMs = 10_000 }: { deadlineMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(deadlineMs);
    return this.#closed;
  }

  async #close(deadlineMs: number): Promise<void> {
    await Promise.all([...this.#workplaces.values()].map((place) => place.close(deadlineMs)));
    const ending = Promise.allSettled([...this.#producers.values()].map((producer) => producer.close()));
    await settledWithin(ending, 1_000);
    await settledWithin(this.#backend.close(), 2_000);
  }

  #nameOf(name: JobName): string {
    return `${this.#options.prefix ?? "dockseal"}-${name}`;
  }

  async #producer(name: JobName): Promise<Producer> {
    let producer = this.#producers.get(name);
    if (producer === undefined) {
      producer = this.#backend.producer(this.#nameOf(name));
      producer.on("error", () => undefined); // the call that fails says it, and the backend logs lost connections
      this.#producers.set(name, producer);
    }
    try {
      await producer.waitUntilReady();
      return producer;
    } catch (error) {
      // BullMQ remembers a failed start for ever.
      if (this.#producers.get(name) === producer) this.#producers.delete(name);
      throw error;
    }
  }

  /** Runs a piece of work on the queue's server, and words its failure or its silence as `queue-unavailable`. */
  async #speak<T>(deadlineMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new DocksealError("queue-unavailable", { detail: "the queue is closed" });
    const control = new AbortController();
    const silence = setTimeout(() => control.abort(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
    try {
      const silent = new Promise<never>((_, reject) => {
        control.signal.addEventListener("abort", () => reject(control.signal.reason), { once: true });
      });
      const answer = this.#backend.ready(control.signal).then(() => work(control.signal));
      return await Promise.race([answer, silent]);
    } catch (error) {
      const reason = error instanceof Error ? error.message || error.name : String(error);
      throw new DocksealError("queue-unavailable", {
        detail: `the queue does not answer: ${reason}`,
        cause: error,
        retryAfterSeconds: 5,
      });
    } finally {
      clearTimeout(silence);
    }
  }
}
