import type { FastifyInstance, FastifyRequest } from "fastify";
import { speakingDatabase } from "#db";
import { type GatewayStation, stationOfGatewayKey } from "#gateway";
import { DocksealError, isProblem } from "#kernel";
import type { GatewaySettings, HttpDependencies } from "../../dependencies.ts";

declare module "fastify" {
  interface FastifyRequest {
    gatewayStation: GatewayStation | undefined;
  }
}

/** Checks key, source address and rate before a body is read; what is refused is counted. */
export function guardGateway(scope: FastifyInstance, deps: HttpDependencies, settings: GatewaySettings): void {
  scope.decorateRequest("gatewayStation", undefined);
  const limit = { max: settings.requestsPerMinute, timeWindow: "1 minute" };
  const byStation = scope.createRateLimit({ ...limit, keyGenerator: (request) => gatewayStationOf(request).actor.id });
  const refusedByAddress = scope.createRateLimit({ ...limit, keyGenerator: (request) => request.ip });
  const check = async (request: FastifyRequest): Promise<void> => {
    const query = request.query as Record<string, unknown>;
    const shown = { number: one(query["gzz_xh"]), key: one(query["authkey"]), sourceAddress: request.ip };
    try {
      request.gatewayStation = await speakingDatabase(() => stationOfGatewayKey(deps.db, shown));
      request.actor = request.gatewayStation.actor;
    } catch (error) {
      if (isProblem(error) && error.status < 500) await within(refusedByAddress, request);
      throw error;
    }
    await within(byStation, request);
  };
  scope.addHook("onRequest", async (request) => {
    if (request.routeOptions.config.access === "public") return;
    try {
      await check(request);
    } catch (error) {
      if (isProblem(error)) deps.metrics.gatewayRefusals.inc({ code: error.code });
      throw error;
    }
  });
}

async function within(limiter: ReturnType<FastifyInstance["createRateLimit"]>, request: FastifyRequest): Promise<void> {
  const found = await limiter(request);
  if (found.isAllowed || !found.isExceeded) return;
  throw new DocksealError("too-many-requests", { retryAfterSeconds: found.ttlInSeconds });
}

/** A parameter that stands there once. */
function one(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function gatewayStationOf(request: FastifyRequest): GatewayStation {
  if (request.gatewayStation === undefined) throw new DocksealError("gateway-key-refused");
  return request.gatewayStation;
}
