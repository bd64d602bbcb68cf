import Type from "typebox";
import { bindingRevisions, caseOf, listCases, openCase } from "#cases";
import { listClips } from "#ingest";
import { everyone, organizationOf, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, binding, caseFile, clip, idParams, line, problem, strict } from "../../schemas.ts";

export function caseRoutes(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/cases",
    {
      config: { access: ["handler", "administrator"], operation: "cases.open" },
      schema: {
        summary: "Open a case",
        tags: ["cases"],
        security: asPerson,
        body: Type.Object({ number: line(100), title: Type.Optional(line(200)) }, strict),
        response: { 201: caseFile, default: problem },
      },
    },
    async (request, reply) => {
      const actor = personOf(request);
      const file = await openCase(deps.db, { organizationId: actor.organizationId, ...request.body }, actor);
      return reply.status(201).header("location", `/api/v1/cases/${file.id}`).send(file);
    },
  );
  app.get(
    "/api/v1/cases",
    {
      config: { access: everyone, operation: "cases.list" },
      schema: {
        summary: "Find cases",
        description: "Newest first; `number` finds those whose number contains it.",
        tags: ["cases"],
        security: asPerson,
        querystring: Type.Object(
          { number: Type.Optional(line(100)), limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })) },
          strict,
        ),
        response: { 200: Type.Object({ items: Type.Array(caseFile) }), default: problem },
      },
    },
    async (request) => {
      const { number, limit } = request.query;
      const search = number === undefined ? {} : { search: number };
      return { items: await listCases(deps.db, organizationOf(request), { ...search, limit: limit ?? 50 }) };
    },
  );
  app.get(
    "/api/v1/cases/:id",
    {
      config: { access: everyone, operation: "cases.read" },
      schema: {
        summary: "Read a case with its clips and all revisions of its bindings",
        tags: ["cases"],
        security: asPerson,
        params: idParams,
        response: {
          200: Type.Intersect([caseFile, Type.Object({ clips: Type.Array(clip), bindings: Type.Array(binding) })]),
          default: problem,
        },
      },
    },
    async (request) => {
      const file = await caseOf(deps.db, request.params.id, organizationOf(request));
      const [{ clips }, bindings] = await Promise.all([
        listClips(deps.db, { organizationId: file.organizationId, caseId: file.id, limit: 1000 }),
        bindingRevisions(deps.db, { caseId: file.id }),
      ]);
      return { ...file, clips, bindings };
    },
  );
}
