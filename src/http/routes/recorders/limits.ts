import Type from "typebox";
import { limitsOf, limitsSchema, setLimits } from "#recordings";
import { everyone, organizationOf, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, problem } from "../../schemas.ts";

const answer = Type.Intersect([
  limitsSchema,
  Type.Object({ revision: Type.Integer({ description: "How often they were set; 0: these are the product's own" }) }),
]);

export function limitRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/recording-limits",
    {
      config: { access: everyone, operation: "recording-limits.read" },
      schema: {
        summary: "From when on something is a finding",
        description: "The limits of your organization.",
        tags: ["recorders"],
        security: asPerson,
        response: { 200: answer, default: problem },
      },
    },
    async (request) => {
      const { limits, revision } = await limitsOf(deps.db, organizationOf(request));
      return { ...limits, revision };
    },
  );
  app.put(
    "/api/v1/recording-limits",
    {
      config: { access: ["administrator"], operation: "recording-limits.set" },
      schema: {
        summary: "Set from when on something is a finding",
        description: "All limits at once. Logged; every recorder of your organization is looked at again.",
        tags: ["recorders"],
        security: asPerson,
        body: limitsSchema,
        response: { 200: answer, default: problem },
      },
    },
    async (request) => {
      const { revision } = await setLimits(deps.db, personOf(request), request.body);
      return { ...request.body, revision };
    },
  );
}
