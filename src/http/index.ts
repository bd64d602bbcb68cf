export { buildApp } from "./app.ts";
export type { HttpDependencies } from "./dependencies.ts";
export { LiveClips } from "./live/live-clips.ts";
export { Metrics } from "./metrics.ts";
export { UploadsInFlight } from "./uploads-in-flight.ts";
