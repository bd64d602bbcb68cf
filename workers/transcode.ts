import { deriveClip } from "#derive";
import { isProblem } from "#kernel";
import type { JobHandler } from "#queue";
import { verifyStored } from "#seal";
import type { WorkerDependencies } from "./handlers.ts";

/**
 * Queue `transcode`: examine the recording and make its playable copy, pictures and waveform. An original that is gone or
 * has other bytes by now is looked at again as a whole, which puts the clip into quarantine when it is so.
 */
export function transcodeWorker(deps: Pick<WorkerDependencies, "derive" | "seal">): JobHandler<"transcode"> {
  return async ({ clipId }, { signal, attempt }) => {
    try {
      await deriveClip(deps.derive, { clipId, signal, attempt });
    } catch (error) {
      if (!isProblem(error, "object-differs") && !isProblem(error, "object-missing")) throw error;
      const { intact, repaired } = await verifyStored(deps.seal, clipId, { type: "system", id: "transcode" }, signal);
      // Sound by now: the job is tried again.
      if (intact || repaired) throw error;
    }
  };
}
