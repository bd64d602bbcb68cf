import Type from "typebox";
import { listClips } from "#ingest";
import { everyone, organizationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asEither, clip, problem, strict, uuid } from "../../schemas.ts";

export function listClipsRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/clips",
    {
      config: { access: ["station", ...everyone], operation: "clips.list" },
      schema: {
        summary: "Find clips",
        description: "Newest first. A station sees what it sent; people see the clips of their organization.",
        tags: ["clips"],
        security: asEither,
        querystring: Type.Object(
          {
            state: Type.Optional(Type.Enum(["received", "hashed", "sealed", "quarantined"])),
            unbound: Type.Optional(Type.Boolean({ description: "true: the tray of clips that wait for a case" })),
            case: Type.Optional(uuid),
            sha256: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$" })),
            cursor: Type.Optional(Type.String({ maxLength: 200 })),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
          },
          strict,
        ),
        response: {
          200: Type.Object({
            items: Type.Array(clip),
            next: Type.Optional(Type.String({ description: "cursor of the next page" })),
          }),
          default: problem,
        },
      },
    },
    async (request) => {
      const { case: caseId, limit, ...rest } = request.query;
      const { clips, next } = await listClips(deps.db, {
        organizationId: organizationOf(request),
        ...(request.actor?.type === "station" ? { stationId: request.actor.id } : {}),
        ...rest,
        ...(caseId === undefined ? {} : { caseId }),
        limit: limit ?? 50,
      });
      return next === undefined ? { items: clips } : { items: clips, next };
    },
  );
}
