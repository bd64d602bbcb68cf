import Type from "typebox";
import { acknowledgeFinding, findingKinds, findingStates, listFindings } from "#recordings";
import { everyone, organizationOf, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, idParams, line, nullable, pageQuery, pageSchema, problem, strict, uuid } from "../../schemas.ts";

const finding = Type.Object(
  {
    id: uuid,
    organizationId: uuid,
    recorderSerial: Type.String(),
    kind: Type.String({ enum: [...findingKinds] }),
    state: Type.String({
      enum: [...findingStates],
      description: "`closed`: it is so no more. `acknowledged`: it is so, and somebody said why that is right",
    }),
    detail: Type.String({ description: "One sentence" }),
    evidence: Type.Unknown({ description: "Clips, numbers and times that it follows from" }),
    firstSeenAt: Type.String(),
    lastSeenAt: Type.String({ description: "To the hour, while nothing changes" }),
    closedAt: nullable(Type.String()),
    acknowledgement: nullable(
      Type.Object(
        { by: Type.Object({ id: uuid, name: Type.String() }), reason: Type.String(), at: Type.String() },
        { description: "The newest; when the finding is open nevertheless, it has changed since" },
      ),
    ),
  },
  { description: "Something that does not fit on a recorder's time line" },
);

export function findingRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/findings",
    {
      config: { access: everyone, operation: "findings.list" },
      schema: {
        summary: "What is missing, late or contradictory",
        description: "Findings about your organization's recorders, newest first.",
        tags: ["recorders"],
        security: asPerson,
        querystring: Type.Object(
          {
            state: Type.Optional(Type.Enum([...findingStates])),
            kind: Type.Optional(Type.Enum([...findingKinds])),
            recorder: Type.Optional(Type.String({ pattern: "^[\\x21-\\x7e]{1,64}$", description: "Serial" })),
            ...pageQuery,
          },
          strict,
        ),
        response: {
          200: pageSchema(finding),
          default: problem,
        },
      },
    },
    async (request) => {
      const { recorder: recorderSerial, limit, ...rest } = request.query;
      const organizationId = organizationOf(request);
      return listFindings(deps.db, { ...rest, organizationId, recorderSerial, limit: limit ?? 50 });
    },
  );
  app.post(
    "/api/v1/findings/:id/acknowledge",
    {
      config: { access: ["supervisor", "administrator"], operation: "findings.acknowledge" },
      schema: {
        summary: "Say why a finding may stand",
        description: "Logged with name and reason. It is open again when what was found changes.",
        tags: ["recorders"],
        security: asPerson,
        params: idParams,
        body: Type.Object({ reason: line(1000) }, strict),
        response: { 200: finding, default: problem },
      },
    },
    async (request) => {
      const { id } = request.params;
      return acknowledgeFinding(deps.db, personOf(request), { id, reason: request.body.reason });
    },
  );
}
