import type { FastifyRequest } from "fastify";
import Type from "typebox";
import { inTransaction } from "#db";
import { announcementsOf, defaultZone, issueGatewayKey, recorderReports, revokeGatewayKeys } from "#gateway";
import { stationById } from "#identity";
import { organizationOf, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, idParams, line, nullable, problem, strict, uuid } from "../../schemas.ts";

const addresses = Type.Array(line(64), {
  minItems: 1,
  maxItems: 32,
  description: "Source addresses and networks, e.g. `10.3.0.17`, `10.3.0.0/24`",
});
const zone = line(64);

const announcement = Type.Object(
  {
    id: uuid,
    stationId: uuid,
    fileNumber: Type.String({ description: "wjbh" }),
    recorderSerial: Type.String(),
    capturedAtRaw: Type.String({ description: "pssj, as the station said it" }),
    sizeBytes: Type.Integer(),
    announcedAt: Type.String(),
    clipId: nullable(uuid),
    arrivedAt: nullable(Type.String()),
  },
  { description: "A file that a station said it has; without clip its bytes never arrived" },
);

/** Keys of the gateway, and what stations said through it. */
export function gatewayStationRoutes(app: App, deps: HttpDependencies): void {
  // What the caller may not see is not there, whatever else is wrong with the request.
  const visible = async (request: FastifyRequest): Promise<void> => {
    await stationById(deps.db, (request.params as { id: string }).id, organizationOf(request));
  };
  app.post(
    "/api/v1/stations/:id/gateway-key",
    {
      config: { access: ["administrator"], operation: "stations.gateway-key" },
      preValidation: visible,
      schema: {
        summary: "Issue a key of the gateway",
        description:
          "For a station that speaks nothing but the dialect of docs/gateway.md. Its authentication is weak: the key goes in the query string, so it holds from these addresses only, and its clips are marked. Keys that exist stay valid until they are revoked.",
        tags: ["identity"],
        security: asPerson,
        params: idParams,
        body: Type.Object({ addresses, zone: Type.Optional({ ...zone, default: defaultZone }) }, strict),
        response: {
          201: Type.Object({
            key: Type.String({ description: "Shown this once; only its hash is kept" }),
            id: uuid,
            addresses,
            zone,
            createdAt: Type.String(),
          }),
          default: problem,
        },
      },
    },
    async (request, reply) => {
      const wanted = { zone: defaultZone, ...request.body, stationId: request.params.id };
      return reply
        .status(201)
        .send(await inTransaction(deps.db, (tx) => issueGatewayKey(tx, personOf(request), wanted)));
    },
  );
  app.delete(
    "/api/v1/stations/:id/gateway-key",
    {
      config: { access: ["administrator"], operation: "stations.gateway-revoke" },
      schema: {
        summary: "Revoke all keys of the gateway of a station",
        tags: ["identity"],
        security: asPerson,
        params: idParams,
        response: { 200: Type.Object({ revoked: Type.Integer() }), default: problem },
      },
    },
    async (request) => {
      const by = personOf(request);
      return { revoked: await inTransaction(deps.db, (tx) => revokeGatewayKeys(tx, by, request.params.id)) };
    },
  );
  app.get(
    "/api/v1/stations/:id/announcements",
    {
      config: { access: ["administrator", "auditor", "supervisor"], operation: "stations.announcements" },
      preValidation: visible,
      schema: {
        summary: "List files that a station announced through the gateway, oldest first",
        description: "`arrived=false`: those that were announced and never arrived.",
        tags: ["identity"],
        security: asPerson,
        params: idParams,
        querystring: Type.Object(
          {
            arrived: Type.Optional(Type.Boolean()),
            cursor: Type.Optional(uuid),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
          },
          strict,
        ),
        response: {
          200: Type.Object({ items: Type.Array(announcement), next: Type.Optional(uuid) }),
          default: problem,
        },
      },
    },
    async (request) => {
      const { arrived, cursor, limit = 100 } = request.query;
      return announcementsOf(deps.db, {
        ...{ stationId: request.params.id, limit },
        ...(arrived === undefined ? {} : { arrived }),
        ...(cursor === undefined ? {} : { after: cursor }),
      });
    },
  );
  app.get(
    "/api/v1/stations/:id/recorders",
    {
      config: { access: ["administrator", "auditor", "supervisor"], operation: "stations.recorders" },
      schema: {
        summary: "List recorders that a station told of through the gateway",
        tags: ["identity"],
        security: asPerson,
        params: idParams,
        response: {
          200: Type.Object({
            items: Type.Array(
              Type.Object({
                recorderSerial: Type.String(),
                reportedAt: Type.String(),
                record: Type.Unknown({ description: "As the station said it: battery, capacity, …" }),
              }),
            ),
          }),
          default: problem,
        },
      },
    },
    async (request) => {
      const { id } = await stationById(deps.db, request.params.id, organizationOf(request));
      return { items: await recorderReports(deps.db, id) };
    },
  );
}
