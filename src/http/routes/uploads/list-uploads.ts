import Type from "typebox";
import { uploadsUnderWay } from "#ingest";
import { everyone, organizationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, pageQuery, pageSchema, problem, strict, uuid } from "../../schemas.ts";

const upload = Type.Object(
  {
    id: uuid,
    stationId: uuid,
    stationName: Type.String(),
    recorderSerial: Type.String(),
    fileName: Type.String(),
    sizeBytes: Type.Integer(),
    offsetBytes: Type.Integer({ description: "What is held of it" }),
    receiving: Type.Boolean({
      description: "Bytes come in at this moment; false between two requests of a station, and while it is away",
    }),
    begunAt: Type.String({ description: "RFC 3339, UTC" }),
    expiresAt: Type.String({ description: "When it is ended unless its station goes on (RFC 3339, UTC)" }),
  },
  { description: "A resumable upload that is under way" },
);

export function listUploadsRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/uploads",
    {
      config: { access: everyone, operation: "uploads.list" },
      schema: {
        summary: "Resumable uploads that are under way",
        description: "Of your organization's stations, newest first. One that is complete is a clip.",
        tags: ["uploads"],
        security: asPerson,
        querystring: Type.Object(pageQuery, strict),
        response: { 200: pageSchema(upload), default: problem },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query;
      return uploadsUnderWay(deps.db, { organizationId: organizationOf(request), cursor, limit: limit ?? 50 });
    },
  );
}
