import { type Database, noteStepError, type Step } from "#db";
import type { DeriveDependencies } from "#derive";
import type { JobHandler, JobName } from "#queue";
import type { SealDependencies, TimestampSource } from "#seal";
import { bindWorker } from "./bind.ts";
import { hashWorker } from "./hash.ts";
import { timestampWorker } from "./timestamp.ts";
import { transcodeWorker } from "./transcode.ts";

export interface WorkerDependencies {
  readonly db: Database;
  readonly seal: SealDependencies;
  readonly timestamps: TimestampSource;
  readonly derive: DeriveDependencies;
}

/** One handler a kind of job. */
export function jobHandlers(deps: WorkerDependencies): Record<JobName, JobHandler> {
  return {
    hash: noting(deps.db, "hash", hashWorker(deps)),
    timestamp: noting(deps.db, "timestamp", timestampWorker(deps)),
    transcode: noting(deps.db, "transcode", transcodeWorker(deps)),
    bind: noting(deps.db, "bind", bindWorker(deps)),
  };
}

/** Keeps the reason of a failed try with the step, for `doctor`; the failure itself goes on to the queue. */
function noting(db: Database, step: Step, handler: JobHandler): JobHandler {
  return async (payload, context) => {
    try {
      await handler(payload, context);
    } catch (error) {
      if (!context.signal.aborted) {
        const reason = error instanceof Error ? error.message : String(error);
        await noteStepError(db, payload.clipId, step, reason).catch((noting: unknown) => {
          throw new AggregateError([error, noting], reason);
        });
      }
      throw error;
    }
  };
}
