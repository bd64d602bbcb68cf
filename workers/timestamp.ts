import type { JobHandler } from "#queue";
import { timestampClip } from "#seal";
import type { WorkerDependencies } from "./handlers.ts";

/** Queue `timestamp`: an RFC 3161 token over the seal manifest, and the clip is sealed. */
export function timestampWorker(deps: Pick<WorkerDependencies, "publish">): JobHandler<"timestamp"> {
  return ({ clipId }, { signal }) => timestampClip(deps.publish, { clipId, signal });
}
