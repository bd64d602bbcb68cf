import Type from "typebox";
import { bindingRevisions } from "#cases";
import { derivativesOf } from "#derive";
import { clipDetail } from "#ingest";
import { everyone } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asEither, binding, clip, derivative, idParams, problem } from "../../schemas.ts";
import { visibleClip } from "./visible-clip.ts";

export function readClipRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/clips/:id",
    {
      config: { access: ["station", ...everyone], operation: "clips.read" },
      schema: {
        summary: "Read a clip",
        tags: ["clips"],
        security: asEither,
        params: idParams,
        response: {
          200: Type.Intersect([
            clip,
            Type.Object({
              metadata: Type.Unknown({ description: "As the station sent it" }),
              mediaFacts: Type.Unknown({ description: "What ffprobe found" }),
              derivatives: Type.Array(derivative),
              bindings: Type.Array(binding, { description: "All revisions, oldest first" }),
            }),
          ]),
          default: problem,
        },
      },
    },
    async (request) => {
      const { id } = await visibleClip(request, deps.db, request.params.id);
      const [detail, derivatives, bindings] = await Promise.all([
        clipDetail(deps.db, id),
        derivativesOf(deps.db, id),
        bindingRevisions(deps.db, { clipId: id }),
      ]);
      const shown = derivatives.map(({ objectKey: _key, versionId: _version, ...rest }) => rest);
      return { ...detail, derivatives: shown, bindings };
    },
  );
}
