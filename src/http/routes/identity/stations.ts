import Type from "typebox";
import { inTransaction } from "#db";
import { gatewayStandings } from "#gateway";
import { createStation, issueStationToken, revokeStationTokens, stationById, stationsOf } from "#identity";
import { organizationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, gatewayStanding, idParams, line, nullable, problem, station, strict } from "../../schemas.ts";

const token = Type.String({ description: "Shown this once; only its hash is kept" });

export function stationRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/stations",
    {
      config: { access: ["administrator", "auditor", "supervisor"], operation: "stations.list" },
      schema: {
        summary: "List the docking stations of the organization",
        tags: ["identity"],
        security: asPerson,
        response: {
          200: Type.Object({
            items: Type.Array(
              Type.Intersect([
                station,
                Type.Object({
                  gateway: nullable({ ...gatewayStanding, description: "null: it never came through the gateway" }),
                }),
              ]),
            ),
          }),
          default: problem,
        },
      },
    },
    async (request) => {
      const stations = await stationsOf(deps.db, organizationOf(request));
      const standings = await gatewayStandings(
        deps.db,
        stations.map(({ id }) => id),
      );
      return { items: stations.map((each) => ({ ...each, gateway: standings.get(each.id) ?? null })) };
    },
  );
  app.post(
    "/api/v1/stations",
    {
      config: { access: ["administrator"], operation: "stations.add" },
      schema: {
        summary: "Register a docking station",
        tags: ["identity"],
        security: asPerson,
        body: Type.Object({ number: line(40), name: line(200) }, strict),
        response: { 201: Type.Object({ station, token }), default: problem },
      },
    },
    async (request, reply) => {
      const organizationId = organizationOf(request);
      const made = await inTransaction(deps.db, (tx) => createStation(tx, { organizationId, ...request.body }));
      return reply.status(201).send(made);
    },
  );
  app.post(
    "/api/v1/stations/:id/tokens",
    {
      config: { access: ["administrator"], operation: "stations.token" },
      schema: {
        summary: "Issue a further token",
        description: "Those that exist stay valid until they are revoked.",
        tags: ["identity"],
        security: asPerson,
        params: idParams,
        response: { 201: Type.Object({ token }), default: problem },
      },
    },
    async (request, reply) => {
      const { id } = await stationById(deps.db, request.params.id, organizationOf(request));
      return reply.status(201).send({ token: await inTransaction(deps.db, (tx) => issueStationToken(tx, id)) });
    },
  );
  app.delete(
    "/api/v1/stations/:id/tokens",
    {
      config: { access: ["administrator"], operation: "stations.revoke" },
      schema: {
        summary: "Revoke all tokens of a station",
        tags: ["identity"],
        security: asPerson,
        params: idParams,
        response: { 200: Type.Object({ revoked: Type.Integer() }), default: problem },
      },
    },
    async (request) => {
      const { id } = await stationById(deps.db, request.params.id, organizationOf(request));
      return { revoked: await inTransaction(deps.db, (tx) => revokeStationTokens(tx, id)) };
    },
  );
}
