import Type from "typebox";
import { beginViewing } from "#review";
import { everyone, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, idParams, line, problem, strict, uuid } from "../../schemas.ts";
import { visibleClip } from "./visible-clip.ts";

const viewing = Type.Object(
  {
    id: uuid,
    clipId: uuid,
    purpose: Type.String(),
    startedAt: Type.String({ description: "RFC 3339, UTC" }),
  },
  { description: "A viewing 调阅" },
);

export function beginViewingRoute(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/clips/:id/viewings",
    {
      config: { access: everyone, operation: "clips.view" },
      schema: {
        summary: "State what a clip is viewed for",
        description:
          "Before the server sends its original, its playable copy or its sprite to a session. It is logged; it covers that clip until the session ends. Another purpose is another viewing, the same one is not: `200`.",
        tags: ["clips"],
        security: asPerson,
        params: idParams,
        body: Type.Object({ purpose: line(200) }, strict),
        response: { 200: viewing, 201: viewing, default: problem },
      },
    },
    async (request, reply) => {
      const clip = await visibleClip(request, deps.db, request.params.id);
      const { viewing, known } = await beginViewing(deps.db, clip.id, request.body.purpose, personOf(request));
      return reply.status(known ? 200 : 201).send(viewing);
    },
  );
}
