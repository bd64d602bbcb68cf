import cookie from "@fastify/cookie";
import multipart from "@fastify/multipart";
import rateLimit from "@fastify/rate-limit";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import { newId } from "#kernel";
import { guardAccess } from "./access.ts";
import type { HttpDependencies } from "./dependencies.ts";
import { openApi } from "./openapi.ts";
import { replyWithProblems, sendProblem } from "./problem-replies.ts";
import { gatewayAddress } from "./routes/gateway/scope.ts";
import { registerRoutes } from "./routes/index.ts";
import { validateStrictly } from "./validation.ts";

/** Builds the API; whoever calls it listens. */
export async function buildApp(deps: HttpDependencies): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    loggerInstance: deps.logger as FastifyBaseLogger,
    // Addresses only, never `true` or a number of hops: those let a client choose its own source address.
    trustProxy: deps.trustProxy ?? false,
    genReqId: () => newId(),
    // One line an answer is ours: see observe().
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    // The metadata of a resumable upload comes in a header, as base64 of at most maximumMetadataBytes.
    http: { maxHeaderSize: 112 * 1024 },
    // An upload may take hours: the stall timer, not the clock, says when it is over.
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 200 },
    ...(deps.gateway === undefined ? {} : { rewriteUrl: gatewayAddress }),
    // What the router refuses before any route and hook is known.
    frameworkErrors: (error, request, reply) => {
      sendProblem(request, reply.header("x-request-id", request.id), error);
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, app.getDefaultJsonParser("error", "error"));

  replyWithProblems(app);
  validateStrictly(app);
  await app.register(cookie);
  // Before the guard, so that what it refuses is logged, measured and told its id as well.
  observe(app, deps);
  guardAccess(app, deps.db);
  endUnreadUploads(app);
  await app.register(multipart, {
    // The clip's own limit is counted by the ingest, which refuses instead of cutting (this plugin's default is 1 MiB).
    limits: { fileSize: Number.POSITIVE_INFINITY, parts: 4, headerPairs: 20 },
    throwFileSizeLimit: false,
  });
  await app.register(rateLimit, { global: false });
  await app.register(swagger, { openapi: openApi });
  await app.register(swaggerUi, { routePrefix: "/api/docs" });
  registerRoutes(app, deps);
  await app.ready();
  return app;
}

/** One log line and one measurement an answer. The route's pattern is logged, never the URL: it may hold secrets. */
function observe(app: FastifyInstance, deps: HttpDependencies): void {
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
  });
  app.addHook("onResponse", async (request, reply) => {
    const operation = request.routeOptions.config?.operation ?? "unknown";
    deps.metrics.requests.observe({ operation, status: reply.statusCode }, reply.elapsedTime / 1000);
    if (operation === "health") return;
    request.log.info(
      {
        operation,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        ...(request.actor === undefined ? {} : { actor: `${request.actor.type}:${request.actor.id}` }),
      },
      "answered",
    );
  });
}

/**
 * After an answer that came before the end of a body: reads on for a moment, so that the sender sees the answer instead
 * of a broken connection, and then ends the connection.
 */
function endUnreadUploads(app: FastifyInstance): void {
  app.addHook("onResponse", async (request) => {
    const incoming = request.raw;
    if (incoming.complete || incoming.destroyed) return;
    incoming.unpipe();
    incoming.on("error", () => incoming.destroy());
    incoming.resume();
    const timer = setTimeout(() => incoming.socket.destroy(), 5_000);
    incoming.once("close", () => clearTimeout(timer));
    incoming.once("end", () => clearTimeout(timer));
  });
}
