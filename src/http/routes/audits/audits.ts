import Type from "typebox";
import { listRuns, runDetail, startManualRun } from "#audit";
import { caseOf } from "#cases";
import { systemClock } from "#kernel";
import { organizationOf, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, auditRun, idParams, nullable, pageQuery, pageSchema, problem, strict, uuid } from "../../schemas.ts";

const auditors = ["supervisor", "auditor", "administrator"] as const;

const fault = Type.Object({
  clipId: uuid,
  role: Type.String({ enum: ["original", "playback", "poster", "sprite", "waveform"] }),
  outcome: Type.String({ enum: ["repaired", "damaged", "missing", "unlocked", "unreadable"] }),
  reason: nullable(Type.String()),
  foundSha256: nullable(Type.String()),
  foundSizeBytes: nullable(Type.Integer()),
  checkedAt: Type.String(),
});

const detail = Type.Intersect([
  auditRun,
  Type.Object({
    drawn: nullable(
      Type.Object({
        checkpoint: Type.String({ description: "The signed note that the seed is taken from" }),
        proof: Type.String({ description: "base64 of what fixes it: timestamp token or cosignature lines" }),
        clips: Type.Array(uuid, { description: "The sample" }),
      }),
    ),
    faults: Type.Array(fault, { description: "What was not intact in clips of your organization: at most 1000" }),
  }),
]);

export function auditRoutes(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/audits",
    {
      config: { access: auditors, operation: "audits.start" },
      schema: {
        summary: "Start a fixity audit",
        description:
          "Of everything of your organization, or of what was ever bound to one case. `dockseal work` reads.",
        tags: ["audits"],
        security: asPerson,
        body: Type.Object({ caseId: Type.Optional(uuid) }, strict),
        response: { 201: detail, default: problem },
      },
    },
    async (request, reply) => {
      const actor = personOf(request);
      const { organizationId } = actor;
      const { caseId } = request.body;
      if (caseId !== undefined) await caseOf(deps.db, caseId, organizationId);
      const wanted = { organizationId, caseId: caseId ?? null, days: deps.auditDays, now: systemClock.now() };
      const id = await startManualRun(deps.db, wanted, actor);
      reply.status(201).header("location", `/api/v1/audits/${id}`);
      return runDetail(deps.db, id, organizationId);
    },
  );
  app.get(
    "/api/v1/audits",
    {
      config: { access: auditors, operation: "audits.list" },
      schema: {
        summary: "Fixity audits, newest first",
        description: "Cycles and samples cover the whole installation; manual ones are those of your organization.",
        tags: ["audits"],
        security: asPerson,
        querystring: Type.Object(
          {
            ...pageQuery,
          },
          strict,
        ),
        response: {
          200: pageSchema(auditRun),
          default: problem,
        },
      },
    },
    async (request) => {
      const { cursor, limit } = request.query;
      return listRuns(deps.db, { organizationId: organizationOf(request), cursor, limit: limit ?? 50 });
    },
  );
  app.get(
    "/api/v1/audits/:id",
    {
      config: { access: auditors, operation: "audits.read" },
      schema: {
        summary: "Read a fixity audit",
        description: "Counts, what was not intact, and for a sample the checkpoint and proof that it was drawn from.",
        tags: ["audits"],
        security: asPerson,
        params: idParams,
        response: { 200: detail, default: problem },
      },
    },
    async (request) => runDetail(deps.db, request.params.id, organizationOf(request)),
  );
}
