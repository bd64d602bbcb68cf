import Type from "typebox";
import { listClips } from "#ingest";
import { kinds } from "#metadata";
import { everyone, organizationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asEither, clip, line, pageQuery, pageSchema, problem, strict, uuid } from "../../schemas.ts";

const listed = Type.Intersect([
  clip,
  Type.Object({
    cases: Type.Array(Type.Object({ id: uuid, number: Type.String() }), {
      description: "That it is bound to; a station is told of none",
    }),
  }),
]);

export function listClipsRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/clips",
    {
      config: { access: ["station", ...everyone], operation: "clips.list" },
      schema: {
        summary: "Find clips",
        description:
          "Newest first; every filter that is given must fit. A station sees what it sent; people see the clips of their organization. Intervals begin with `…From` and end before `…To`.",
        tags: ["clips"],
        security: asEither,
        querystring: Type.Object(
          {
            state: Type.Optional(Type.Enum(["received", "hashed", "sealed", "quarantined"])),
            kind: Type.Optional(Type.Enum([...kinds])),
            recorder: Type.Optional(Type.String({ pattern: "^[\\x21-\\x7e]{1,64}$", description: "Serial" })),
            station: Type.Optional(uuid),
            collector: Type.Optional(
              Type.String({ pattern: "^[\\x21-\\x7e]{1,64}$", description: "Certificate number 执法证号" }),
            ),
            capturedFrom: instantQuery("A clip whose capture time is not known fits no bound of it"),
            capturedTo: instantQuery(),
            receivedFrom: instantQuery(),
            receivedTo: instantQuery(),
            important: Type.Optional(Type.Boolean({ description: "Marked as important on the recorder" })),
            playable: Type.Optional(Type.Boolean({ description: "A clip that was not examined yet is neither" })),
            text: Type.Optional({
              ...line(100),
              minLength: 2,
              description:
                "Part of the file name, of the case number that came with the clip, or of that of a case it is bound to; case does not matter",
            }),
            unbound: Type.Optional(Type.Boolean({ description: "true: the tray of clips that wait for a case" })),
            case: Type.Optional(uuid),
            sha256: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$" })),
            ...pageQuery,
          },
          strict,
        ),
        response: {
          200: pageSchema(listed),
          default: problem,
        },
      },
    },
    async (request) => {
      const { case: caseId, station: stationId, recorder: recorderSerial, collector: collectorNumber } = request.query;
      const { state, kind, important, playable, text, unbound, sha256, cursor, limit } = request.query;
      const { capturedFrom, capturedTo, receivedFrom, receivedTo } = request.query;
      return listClips(deps.db, {
        organizationId: organizationOf(request),
        onlyStationId: request.actor?.type === "station" ? request.actor.id : undefined,
        ...{
          stationId,
          state,
          kind,
          recorderSerial,
          collectorNumber,
          important,
          playable,
          text,
          unbound,
          caseId,
          sha256,
        },
        captured: { from: capturedFrom, to: capturedTo },
        received: { from: receivedFrom, to: receivedTo },
        ...{ cursor, limit: limit ?? 50 },
      });
    },
  );
}

const instantQuery = (more?: string) =>
  Type.Optional(
    Type.String({
      pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,6})?(Z|[+-]\\d{2}:\\d{2})$",
      description: more === undefined ? "RFC 3339" : `RFC 3339. ${more}`,
    }),
  );
