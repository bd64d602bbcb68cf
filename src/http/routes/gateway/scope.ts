import type { IncomingMessage } from "node:http";
import type { FastifyPluginAsync } from "fastify";
import type { GatewaySettings, HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { sendRefusal } from "./answers.ts";
import { gatewayFileRoutes } from "./files.ts";
import { guardGateway } from "./guard.ts";
import { gatewayReportRoutes } from "./reports.ts";

/** Stations in the field call `/openapi/workstation/v3/…` or `/v3/…`: one set of routes serves both. */
export function gatewayAddress(request: IncomingMessage): string {
  return (request.url ?? "/").replace(/^\/openapi\/workstation(?=\/v3\/)/, "");
}

/** `/v3/**`, with an authentication and a form of answers of its own. */
export function gatewayScope(deps: HttpDependencies, settings: GatewaySettings): FastifyPluginAsync {
  return async (scope) => {
    scope.setErrorHandler((error, request, reply) => sendRefusal(request, reply, error));
    // Bytes of a file: a stream that nothing reads before the ingest does.
    if (!scope.hasContentTypeParser("application/octet-stream")) {
      scope.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload));
    }
    guardGateway(scope, deps, settings);
    const app = scope as unknown as App;
    gatewayFileRoutes(app, deps);
    gatewayReportRoutes(app, deps, settings);
  };
}
