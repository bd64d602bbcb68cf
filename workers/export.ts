import { runExport } from "#export";
import { isProblem } from "#kernel";
import type { JobHandler } from "#queue";
import { verifyStored } from "#seal";
import type { WorkerDependencies } from "./handlers.ts";

/**
 * Queue `export`: the bag of a case or clip. An original that is gone or has other bytes by now is looked at again as a
 * whole, which puts the clip into quarantine when it is so.
 */
export function exportWorker(deps: Pick<WorkerDependencies, "export" | "seal">): JobHandler<"export"> {
  return async ({ exportId }, { signal }) => {
    try {
      await runExport(deps.export, { exportId, signal });
    } catch (error) {
      if (!isProblem(error, "object-differs") && !isProblem(error, "object-missing")) throw error;
      const { clipId } = error.extra;
      if (typeof clipId === "string") {
        await verifyStored(deps.seal, clipId, { type: "system", id: "export" }, signal);
      }
      throw error;
    }
  };
}
