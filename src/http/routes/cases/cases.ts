import Type from "typebox";
import { bindingRevisions, caseOf, listCases, openCase } from "#cases";
import { listClips } from "#ingest";
import { everyone, organizationOf, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import {
  asPerson,
  binding,
  caseFile,
  clip,
  idParams,
  line,
  pageQuery,
  pageSchema,
  problem,
  strict,
} from "../../schemas.ts";
import { namedBindings } from "./named-bindings.ts";

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
        description: "Newest first; `number` finds those whose number or title contains it.",
        tags: ["cases"],
        security: asPerson,
        querystring: Type.Object({ number: Type.Optional(line(100)), ...pageQuery }, strict),
        response: {
          200: pageSchema(
            Type.Intersect([
              caseFile,
              Type.Object({ clipCount: Type.Integer({ minimum: 0, description: "Clips that are bound to it now" }) }),
            ]),
          ),
          default: problem,
        },
      },
    },
    (request) => {
      const { number: search, cursor, limit } = request.query;
      return listCases(deps.db, organizationOf(request), { search, cursor, limit: limit ?? 50 });
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
      const [{ items: clips }, bindings] = await Promise.all([
        listClips(deps.db, { organizationId: file.organizationId, caseId: file.id, limit: 1000 }),
        bindingRevisions(deps.db, { caseId: file.id }),
      ]);
      return { ...file, clips, bindings: await namedBindings(deps.db, file.organizationId, bindings) };
    },
  );
}
