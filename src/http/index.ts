export { buildApp } from "./app.ts";
export type { HttpDependencies } from "./dependencies.ts";
export { Metrics } from "./metrics.ts";
export { UploadsInFlight } from "./uploads-in-flight.ts";
