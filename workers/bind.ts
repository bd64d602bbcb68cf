import { bindClip } from "#cases";
import type { JobHandler } from "#queue";
import type { WorkerDependencies } from "./handlers.ts";

/** Queue `bind`: to the case that the upload named; else the clip waits in the tray. */
export function bindWorker(deps: Pick<WorkerDependencies, "db">): JobHandler<"bind"> {
  return ({ clipId }) => bindClip(deps.db, clipId);
}
