import Type from "typebox";
import type { App } from "../../routed.ts";
import { asStation, problem } from "../../schemas.ts";

export function clockRoute(app: App): void {
  app.get(
    "/api/v1/clock",
    {
      config: { access: ["station"], operation: "clock.read" },
      schema: {
        summary: "Read the server's clock",
        description:
          "Asked several times, the answer with the shortest round trip tells how far the station's clock is off, to half that time.",
        tags: ["operation"],
        security: asStation,
        response: {
          200: Type.Object({ unixMs: Type.Integer({ description: "Milliseconds since 1970-01-01T00:00:00Z" }) }),
          default: problem,
        },
      },
    },
    async (_request, reply) => reply.header("cache-control", "no-store").send({ unixMs: Date.now() }),
  );
}
