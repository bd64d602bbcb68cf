import type { FastifyInstance, FastifyRequest } from "fastify";
import { type Database, speakingDatabase } from "#db";
import { type Actor, type PersonActor, personOfSession, type Role, type StationActor, stationOfToken } from "#identity";
import { DocksealError } from "#kernel";

/**
 * Who may call a route. There is no default: a route without it does not start. `gateway`: a station with a key of the
 * gateway, which the hook of those routes looks at (routes/gateway).
 */
export type Access = "public" | "gateway" | readonly ("station" | Role)[];

declare module "fastify" {
  interface FastifyContextConfig {
    access?: Access;
    /** Name of the operation in logs and metrics, e.g. `clips.receive`. */
    operation?: string;
  }
  interface FastifyRequest {
    actor: Actor | undefined;
  }
}

export const sessionCookie = "dockseal_session";
export const everyone: readonly Role[] = ["handler", "supervisor", "auditor", "administrator"];

/** Default deny: every route names who may call it, and every request is checked against that before its body is read. */
export function guardAccess(app: FastifyInstance, db: Database): void {
  app.decorateRequest("actor", undefined);
  app.addHook("onRoute", (route) => {
    // The page with the OpenAPI document brings its own routes; it shows nothing but the document, which is public.
    if (route.url.startsWith("/api/docs")) route.config = { access: "public", operation: "docs", ...route.config };
    if (route.config?.access === undefined)
      throw new Error(`${route.method} ${route.url} does not say who may call it`);
  });
  app.addHook("onRequest", async (request) => {
    if (request.is404) return;
    const access = request.routeOptions.config.access;
    if (access === undefined) throw new DocksealError("forbidden");
    if (access === "public" || access === "gateway") return;
    const actor = await speakingDatabase(() => actorOf(request, db));
    if (actor === undefined) throw new DocksealError("authentication-required");
    const as = actor.type === "person" ? actor.role : actor.type;
    if (!access.some((allowed) => allowed === as)) throw new DocksealError("forbidden");
    if (
      actor.type === "person" &&
      !["GET", "HEAD"].includes(request.method) &&
      request.headers["x-csrf-token"] !== actor.csrfToken
    ) {
      throw new DocksealError("csrf-token-missing");
    }
    request.actor = actor;
  });
}

async function actorOf(request: FastifyRequest, db: Database): Promise<StationActor | PersonActor | undefined> {
  const header = request.headers.authorization;
  if (header !== undefined) {
    const token = /^Bearer ([\x21-\x7e]{1,200})$/i.exec(header)?.[1];
    if (token === undefined)
      throw new DocksealError("token-unknown", { detail: "Authorization must be `Bearer <station token>`" });
    return stationOfToken(db, token);
  }
  const cookie = request.cookies[sessionCookie];
  return cookie === undefined ? undefined : personOfSession(db, cookie);
}

export function personOf(request: FastifyRequest): PersonActor {
  if (request.actor?.type !== "person") throw new DocksealError("forbidden");
  return request.actor;
}

export function stationOf(request: FastifyRequest): StationActor {
  if (request.actor?.type !== "station") throw new DocksealError("forbidden");
  return request.actor;
}

/** The organization whose clips and cases the caller may see. */
export function organizationOf(request: FastifyRequest): string {
  const actor = request.actor;
  if (actor === undefined || actor.type === "system") throw new DocksealError("forbidden");
  return actor.organizationId;
}
