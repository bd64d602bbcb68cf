import { type Database, noteStepError, type Step } from "#db";
import type { DeriveDependencies } from "#derive";
import type { ExportWorkDependencies } from "#export";
import type { JobHandler, JobHandlers } from "#queue";
import type { PublishDependencies, SealDependencies } from "#seal";
import { bindWorker } from "./bind.ts";
import { exportWorker } from "./export.ts";
import { hashWorker } from "./hash.ts";
import { timestampWorker } from "./timestamp.ts";
import { transcodeWorker } from "./transcode.ts";

export interface WorkerDependencies {
  readonly db: Database;
  readonly seal: SealDependencies;
  readonly publish: PublishDependencies;
  readonly derive: DeriveDependencies;
  readonly export: ExportWorkDependencies;
}

/** One handler a kind of job. */
export function jobHandlers(deps: WorkerDependencies): JobHandlers {
  return {
    hash: noting(deps.db, "hash", hashWorker(deps)),
    timestamp: noting(deps.db, "timestamp", timestampWorker(deps)),
    transcode: noting(deps.db, "transcode", transcodeWorker(deps)),
    bind: noting(deps.db, "bind", bindWorker(deps)),
    export: exportWorker(deps),
  };
}

/** Keeps the reason of a failed try with the step, for `doctor`; the failure itself goes on to the queue. */
function noting<S extends Step>(db: Database, step: S, handler: JobHandler<S>): JobHandler<S> {
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
