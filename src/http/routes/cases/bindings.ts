import Type from "typebox";
import { bind, correctBinding } from "#cases";
import { DocksealError } from "#kernel";
import { personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, binding, idParams, line, problem, strict, uuid } from "../../schemas.ts";

const annotations = {
  capturedAt: Type.Optional(line(64)),
  capturePlace: Type.Optional(line(500)),
  collectorNumber: Type.Optional(line(64)),
  stage: Type.Optional(line(100)),
};

/** `"<revision>"`: the entity tag of a binding. */
function revisionOf(ifMatch: string | undefined): number {
  if (ifMatch === undefined) throw new DocksealError("precondition-required");
  const revision = /^"(\d{1,9})"$/.exec(ifMatch.trim())?.[1];
  if (revision === undefined)
    throw new DocksealError("precondition-failed", { detail: "If-Match must be the ETag of the binding" });
  return Number(revision);
}

export function bindingRoutes(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/cases/:id/bindings",
    {
      config: { access: ["handler", "administrator"], operation: "bindings.add" },
      schema: {
        summary: "Bind a clip to a case",
        description: "Capture time, place, collector and stage are taken from the clip where they are left out.",
        tags: ["cases"],
        security: asPerson,
        params: idParams,
        body: Type.Object({ clipId: uuid, evidencePurpose: line(1000), ...annotations }, strict),
        response: { 201: binding, default: problem },
      },
    },
    async (request, reply) => {
      const made = await bind(deps.db, request.params.id, request.body, personOf(request));
      return reply.status(201).header("etag", `"${made.revision}"`).send(made);
    },
  );
  app.patch(
    "/api/v1/bindings/:id",
    {
      config: { access: ["handler", "administrator"], operation: "bindings.correct" },
      schema: {
        summary: "Correct a binding",
        description: "Adds a revision; what stood there before stays readable. Needs `If-Match` and a reason.",
        tags: ["cases"],
        security: asPerson,
        params: idParams,
        body: Type.Object(
          {
            caseId: Type.Optional(uuid),
            evidencePurpose: Type.Optional(line(1000)),
            withdrawn: Type.Optional(Type.Boolean()),
            reason: line(500),
            ...annotations,
          },
          strict,
        ),
        response: { 200: binding, default: problem },
      },
    },
    async (request, reply) => {
      const revision = revisionOf(request.headers["if-match"]);
      const made = await correctBinding(deps.db, request.params.id, revision, request.body, personOf(request));
      return reply.header("etag", `"${made.revision}"`).send(made);
    },
  );
}
