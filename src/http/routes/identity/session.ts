import Type from "typebox";
import type { Database } from "#db";
import { endSession, organizationName, type PersonActor, signIn } from "#identity";
import { everyone, personOf, sessionCookie } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, line, problem, strict, uuid } from "../../schemas.ts";

const session = Type.Object({
  personId: uuid,
  organizationId: uuid,
  organizationName: Type.String(),
  displayName: Type.String(),
  role: Type.Enum(["handler", "supervisor", "auditor", "administrator"]),
  csrfToken: Type.String({ description: "Send it as `x-csrf-token` with every change" }),
});

export function sessionRoutes(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/session",
    {
      // Slows guessing of passwords; argon2 slows it further.
      config: { access: "public", operation: "session.begin", rateLimit: { max: 20, timeWindow: "1 minute" } },
      schema: {
        summary: "Sign in",
        tags: ["identity"],
        body: Type.Object({ name: line(100), password: Type.String({ minLength: 1, maxLength: 1000 }) }, strict),
        response: { 201: session, default: problem },
      },
    },
    async (request, reply) => {
      const { name, password } = request.body;
      const { token, actor, expiresAt } = await signIn(deps.db, {
        signInName: name,
        password,
        hours: deps.sessionHours,
      });
      reply.setCookie(sessionCookie, token, {
        path: "/",
        httpOnly: true,
        sameSite: "strict",
        secure: deps.secureCookies,
        expires: new Date(expiresAt),
      });
      return reply.status(201).send(await view(deps.db, actor));
    },
  );
  app.get(
    "/api/v1/session",
    {
      config: { access: everyone, operation: "session.read" },
      schema: {
        summary: "Who am I",
        tags: ["identity"],
        security: asPerson,
        response: { 200: session, default: problem },
      },
    },
    (request) => view(deps.db, personOf(request)),
  );
  app.delete(
    "/api/v1/session",
    {
      config: { access: everyone, operation: "session.end" },
      schema: {
        summary: "Sign out",
        tags: ["identity"],
        security: asPerson,
        response: { 204: Type.Null(), default: problem },
      },
    },
    async (request, reply) => {
      await endSession(deps.db, personOf(request).sessionId);
      return reply.clearCookie(sessionCookie, { path: "/" }).status(204).send(null);
    },
  );
}

async function view(db: Database, actor: PersonActor) {
  const { id, organizationId, displayName, role, csrfToken } = actor;
  const name = await organizationName(db, organizationId);
  return { personId: id, organizationId, organizationName: name, displayName, role, csrfToken };
}
