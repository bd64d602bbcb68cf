import Type from "typebox";
import { listRecordings, recordingDetail } from "#recordings";
import { everyone, organizationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, idParams, nullable, pageQuery, pageSchema, problem, strict, uuid } from "../../schemas.ts";

const recording = Type.Object(
  {
    id: uuid,
    organizationId: uuid,
    recorderSerial: Type.String(),
    segmentCount: Type.Integer(),
    beginsAt: nullable(Type.String({ description: "Corrected by the clock's offset; null when no zone is known" })),
    endsAt: nullable(Type.String()),
    recordedSeconds: nullable(Type.Number({ description: "Sum over the segments; null when one is unknown" })),
  },
  { description: "Segments of one recorder that continue each other; each stays the original that it is" },
);

const segment = Type.Object({
  clipId: uuid,
  fileName: Type.String(),
  state: Type.String(),
  sizeBytes: Type.Integer(),
  sha256: Type.String(),
  sequence: nullable(Type.Integer()),
  durationSeconds: nullable(Type.Number()),
  capturedAtRaw: Type.String({ description: "As the source said it" }),
  time: Type.Unknown({ description: "Beginning and end, corrected, and the bounds between which the beginning lies" }),
  gapBeforeMs: nullable(Type.Integer({ description: "Since the end of the segment before; negative: they overlap" })),
  interruptionReason: nullable(Type.String()),
});

export function recordingRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/recordings",
    {
      config: { access: everyone, operation: "recordings.list" },
      schema: {
        summary: "Recordings of your organization",
        description: "Newest arrival first.",
        tags: ["recorders"],
        security: asPerson,
        querystring: Type.Object(
          {
            recorder: Type.Optional(Type.String({ pattern: "^[\\x21-\\x7e]{1,64}$", description: "Serial" })),
            ...pageQuery,
          },
          strict,
        ),
        response: {
          200: pageSchema(recording),
          default: problem,
        },
      },
    },
    async (request) => {
      const { recorder: recorderSerial, cursor, limit } = request.query;
      const organizationId = organizationOf(request);
      return listRecordings(deps.db, { organizationId, recorderSerial, cursor, limit: limit ?? 50 });
    },
  );
  app.get(
    "/api/v1/recordings/:id",
    {
      config: { access: everyone, operation: "recordings.read" },
      schema: {
        summary: "Read a recording",
        description:
          "With its segments in order. Any segment's clip id leads there too, so an id once given stays good.",
        tags: ["recorders"],
        security: asPerson,
        params: idParams,
        response: {
          200: Type.Intersect([recording, Type.Object({ segments: Type.Array(segment) })]),
          default: problem,
        },
      },
    },
    async (request) => recordingDetail(deps.db, request.params.id, organizationOf(request)),
  );
}
