import Type from "typebox";
import { openAlarms } from "#custody";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, problem } from "../../schemas.ts";

export function alarmsRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/alarms",
    {
      config: { access: ["auditor", "supervisor", "administrator"], operation: "alarms.list" },
      schema: {
        summary: "Alarms that are open, oldest first",
        tags: ["operation"],
        security: asPerson,
        response: {
          200: Type.Object({
            items: Type.Array(
              Type.Object({
                id: Type.String(),
                kind: Type.String(),
                subject: Type.String(),
                detail: Type.String(),
                raisedAt: Type.String(),
                lastSeenAt: Type.String(),
              }),
            ),
          }),
          default: problem,
        },
      },
    },
    async () => ({ items: await openAlarms(deps.db) }),
  );
}
