import { type IQueueBackend, type Job, type JobProgress, Worker } from "bullmq";
import { pause } from "#kernel";
import type { JobName, JobPayload } from "./jobs.ts";

/** BullMQ's worker with two habits changed. */
export class JobWorker<B extends IQueueBackend, C> extends Worker<JobPayload, void, JobName, B, JobProgress, C> {
  /** BullMQ asks again at once when the server refuses (starting up, too many connections): a busy loop. */
  protected override async moveToActive(token: string, name?: string): Promise<Job<JobPayload, void, JobName>> {
    try {
      return await super.moveToActive(token, name);
    } catch (error) {
      await pause(500);
      throw error;
    }
  }

  /**
   * Lets go of everything that keeps the process alive. `close()` waits for running jobs and, when the server is away,
   * for ever (taskforcesh/bullmq#4656); called after it, this ends the wait's timers and connections.
   */
  async abandon(): Promise<void> {
    await this.pause(true);
    await this.lockManager.close();
    await this.backend.close(true);
  }
}
