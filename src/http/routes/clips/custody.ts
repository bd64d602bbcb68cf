import Type from "typebox";
import { custodyOfClip } from "#custody";
import { everyone } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, idParams, nullable, problem } from "../../schemas.ts";
import { visibleClip } from "./visible-clip.ts";

export function custodyRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/clips/:id/custody",
    {
      config: { access: everyone, operation: "clips.custody" },
      schema: {
        summary: "Read the chain of custody",
        description: "Everything that happened to the clip, oldest first.",
        tags: ["clips"],
        security: asPerson,
        params: idParams,
        response: {
          200: Type.Object({
            items: Type.Array(
              Type.Object({
                id: Type.String(),
                type: Type.String(),
                at: Type.String(),
                actor: Type.String(),
                details: Type.Unknown(),
                index: nullable(Type.Integer({ description: "Place in the custody log" })),
              }),
            ),
          }),
          default: problem,
        },
      },
    },
    async (request) => {
      const clip = await visibleClip(request, deps.db, request.params.id);
      return { items: await custodyOfClip(deps.db, clip.id) };
    },
  );
}
