import type { FastifyInstance } from "fastify";
import type { HttpDependencies } from "../dependencies.ts";
import type { App } from "../routed.ts";
import { bindingRoutes } from "./cases/bindings.ts";
import { caseRoutes } from "./cases/cases.ts";
import { custodyRoute } from "./clips/custody.ts";
import { listClipsRoute } from "./clips/list-clips.ts";
import { readClipRoute } from "./clips/read-clip.ts";
import { receiptRoute } from "./clips/receipt.ts";
import { receiveClipRoute } from "./clips/receive-clip.ts";
import { renditionRoutes } from "./clips/renditions.ts";
import { verifyClipRoute } from "./clips/verify-clip.ts";
import { peopleRoutes } from "./identity/people.ts";
import { sessionRoutes } from "./identity/session.ts";
import { stationRoutes } from "./identity/stations.ts";
import { checkpointRoutes } from "./log/checkpoint.ts";
import { healthRoutes } from "./operation/health.ts";
import { openApiRoute } from "./operation/open-api.ts";

/** Every route of the API: one line each, so that tools and people find them. */
export function registerRoutes(instance: FastifyInstance, deps: HttpDependencies): void {
  const app = instance as unknown as App;
  receiveClipRoute(app, deps);
  listClipsRoute(app, deps);
  readClipRoute(app, deps);
  renditionRoutes(app, deps);
  custodyRoute(app, deps);
  receiptRoute(app, deps);
  verifyClipRoute(app, deps);
  caseRoutes(app, deps);
  bindingRoutes(app, deps);
  sessionRoutes(app, deps);
  peopleRoutes(app, deps);
  stationRoutes(app, deps);
  checkpointRoutes(app, deps);
  healthRoutes(app, deps);
  openApiRoute(app);
}
