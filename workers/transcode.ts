import { deriveClip } from "#derive";
import type { JobHandler } from "#queue";
import type { WorkerDependencies } from "./handlers.ts";

/** Queue `transcode`: examine the recording and make its playable copy, pictures and waveform. */
export function transcodeWorker(deps: Pick<WorkerDependencies, "derive">): JobHandler {
  return ({ clipId }, { signal, attempt }) => deriveClip(deps.derive, { clipId, signal, attempt });
}
