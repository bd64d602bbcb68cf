import Type from "typebox";
import { createPerson, peopleOf, roles } from "#identity";
import { organizationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, line, person, problem, strict } from "../../schemas.ts";

export function peopleRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/people",
    {
      config: { access: ["administrator"], operation: "people.list" },
      schema: {
        summary: "List the people of the organization",
        tags: ["identity"],
        security: asPerson,
        response: { 200: Type.Object({ items: Type.Array(person) }), default: problem },
      },
    },
    async (request) => ({ items: await peopleOf(deps.db, organizationOf(request)) }),
  );
  app.post(
    "/api/v1/people",
    {
      config: { access: ["administrator"], operation: "people.add" },
      schema: {
        summary: "Add a person",
        tags: ["identity"],
        security: asPerson,
        body: Type.Object(
          {
            signInName: line(100),
            displayName: line(100),
            role: Type.Enum([...roles]),
            password: Type.String({ minLength: 12, maxLength: 1000 }),
          },
          strict,
        ),
        response: { 201: person, default: problem },
      },
    },
    async (request, reply) =>
      reply.status(201).send(await createPerson(deps.db, { organizationId: organizationOf(request), ...request.body })),
  );
}
