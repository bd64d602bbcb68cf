import type { JobHandler } from "#queue";
import { hashClip } from "#seal";
import type { WorkerDependencies } from "./handlers.ts";

/** Queue `hash`: lock what is stored, read it back, hash it, write the seal manifest. */
export function hashWorker(deps: Pick<WorkerDependencies, "seal">): JobHandler<"hash"> {
  return ({ clipId, traceId }, { signal }) => hashClip(deps.seal, { clipId, traceId, signal });
}
