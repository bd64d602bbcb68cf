import Type from "typebox";
import { listRecorders, manifestSchema, receiveManifest, recorderPage } from "#recordings";
import { everyone, organizationOf, stationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, asStation, nullable, pageSchema, problem, strict, uuid } from "../../schemas.ts";

const serial = Type.String({ pattern: "^[\\x21-\\x7e]{1,64}$" });
const serialParams = Type.Object({ serial }, strict);
const instant = Type.String({ description: "RFC 3339, UTC" });

const recorder = Type.Object(
  {
    id: uuid,
    organizationId: uuid,
    serial: Type.String(),
    registeredAt: instant,
    lastArrivalAt: nullable(Type.String({ description: "When the last clip or manifest came" })),
    analysedAt: nullable(Type.String({ description: "When its time line was last worked out; null: not yet" })),
    clipCount: Type.Integer(),
    openFindings: Type.Integer(),
  },
  { description: "A recorder 执法记录仪; counts are those of the last time that its time line was worked out" },
);

const receivedManifest = Type.Object({
  id: uuid,
  digest: Type.String({ description: "SHA-256 of the manifest as canonical JSON (RFC 8785)" }),
  entryCount: Type.Integer(),
});

const shownManifest = Type.Intersect([
  receivedManifest,
  Type.Object({
    stationId: uuid,
    readAt: instant,
    receivedAt: instant,
    clockOffsetMs: nullable(Type.Integer()),
    clockUncertaintyMs: nullable(Type.Integer()),
  }),
]);

export function recorderRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/recorders",
    {
      config: { access: everyone, operation: "recorders.list" },
      schema: {
        summary: "Recorders of your organization",
        description: "By serial, with what is open about each.",
        tags: ["recorders"],
        security: asPerson,
        querystring: Type.Object(
          {
            cursor: Type.Optional(serial),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
          },
          strict,
        ),
        response: {
          200: pageSchema(recorder),
          default: problem,
        },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query;
      return listRecorders(deps.db, { organizationId: organizationOf(request), cursor, limit: limit ?? 50 });
    },
  );
  app.get(
    "/api/v1/recorders/:serial",
    {
      config: { access: everyone, operation: "recorders.read" },
      schema: {
        summary: "A recorder's page",
        description:
          "Its facts, its clock, the manifests of its cards. Its findings: `GET /api/v1/findings?recorder=…`.",
        tags: ["recorders"],
        security: asPerson,
        params: serialParams,
        response: {
          200: Type.Intersect([
            recorder,
            Type.Object({
              lastClock: nullable(
                Type.Object(
                  {
                    at: instant,
                    offsetMs: Type.Integer(),
                    uncertaintyMs: Type.Integer(),
                    source: Type.String({ description: "Clip or manifest that tells of it" }),
                  },
                  { description: "Recorder clock minus station clock, when they were last compared" },
                ),
              ),
              manifests: Type.Array(shownManifest, { description: "The newest 50" }),
            }),
          ]),
          default: problem,
        },
      },
    },
    async (request) => recorderPage(deps.db, request.params.serial, organizationOf(request)),
  );
  app.post(
    "/api/v1/recorders/:serial/manifests",
    {
      // A full card's list is longer than what else comes as JSON.
      bodyLimit: 4 * 1024 * 1024,
      config: { access: ["station"], operation: "recorders.manifest" },
      schema: {
        summary: "Send the list of what a recorder's card holds",
        description:
          "Every file on the card, sent already or not; a file that was listed and does not arrive becomes a finding. The same manifest again answers `200`.",
        tags: ["recorders"],
        security: asStation,
        params: serialParams,
        body: manifestSchema,
        response: { 200: receivedManifest, 201: receivedManifest, default: problem },
      },
    },
    async (request, reply) => {
      const { created, ...manifest } = await receiveManifest(
        deps.db,
        stationOf(request),
        request.params.serial,
        request.body,
      );
      reply.status(created ? 201 : 200);
      return manifest;
    },
  );
}
