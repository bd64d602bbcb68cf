export { type Job, type JobName, type JobPayload, jobNames } from "./jobs.ts";
export {
  openQueue,
  type Queue,
  type QueueDepth,
  type QueueHealth,
  type QueueOptions,
  type StartOptions,
} from "./queue.ts";
export type { JobContext, JobHandler, JobHandlers, JobOutcome } from "./workplace.ts";
