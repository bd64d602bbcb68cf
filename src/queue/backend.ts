import type { Job as BullJob, Queue as BullQueue, Processor, WorkerListener, WorkerOptions } from "bullmq";
import type { Logger } from "pino";
import type { JobName, JobPayload } from "./jobs.ts";

export type Log = Pick<Logger, "info" | "warn" | "error">;

export type TakenJob = BullJob<JobPayload, void, JobName>;
export type JobProcessor = Processor<JobPayload, void, JobName>;
export type WorkerSettings = Omit<WorkerOptions, "connection">;
export type Producer = Pick<
  BullQueue<JobPayload, void, JobName>,
  "addBulk" | "getJobCounts" | "waitUntilReady" | "close"
> & { on(event: "error", listener: (error: Error) => void): unknown };

export interface Consumer {
  on<E extends keyof WorkerListener>(event: E, listener: WorkerListener<JobPayload, void, JobName>[E]): unknown;
  waitUntilReady(): Promise<void>;
  run(): Promise<void>;
  close(): Promise<void>;
  abandon(): Promise<void>;
}

/** What BullMQ runs on: Redis or PostgreSQL. All producers share the connections of one backend. */
export interface Backend {
  readonly kind: "redis" | "postgres";
  /** Resolves when the server can be spoken to and is prepared; rejects when it is away. */
  ready(signal: AbortSignal): Promise<void>;
  producer(queueName: string): Producer;
  worker(queueName: string, processor: JobProcessor, settings: WorkerSettings): Consumer;
  /** Settings of the server by which jobs could be lost, one sentence each. */
  findProblems(): Promise<string[]>;
  close(): Promise<void>;
}
