import Type from "typebox";
import { bind, bindingSuggestions, correctBinding } from "#cases";
import { DocksealError } from "#kernel";
import { personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, binding, idParams, line, nullable, problem, strict, uuid } from "../../schemas.ts";

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
        description:
          "Capture time, place, collector and stage are taken from the clip where they are left out. `conflict` names the binding that is there, and its case.",
        tags: ["cases"],
        security: asPerson,
        params: idParams,
        body: Type.Object(
          {
            clipId: uuid,
            evidencePurpose: line(1000),
            onlyUnbound: Type.Optional(
              Type.Boolean({ description: "true: refused with `conflict` when the clip is bound to any case" }),
            ),
            ...annotations,
          },
          strict,
        ),
        response: { 201: binding, default: problem },
      },
    },
    async (request, reply) => {
      const person = personOf(request);
      const made = await bind(deps.db, request.params.id, request.body, person);
      const named = { ...made, madeByName: person.displayName };
      return reply.status(201).header("etag", `"${made.revision}"`).send(named);
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
            stage: Type.Optional(nullable(line(100))),
          },
          strict,
        ),
        response: { 200: binding, default: problem },
      },
    },
    async (request, reply) => {
      const revision = revisionOf(request.headers["if-match"]);
      const person = personOf(request);
      const made = await correctBinding(deps.db, request.params.id, revision, request.body, person);
      return reply.header("etag", `"${made.revision}"`).send({ ...made, madeByName: person.displayName });
    },
  );
  app.get(
    "/api/v1/bindings/suggestions",
    {
      config: { access: ["handler", "administrator"], operation: "bindings.suggest" },
      schema: {
        summary: "What was said before of evidence purpose and stage",
        description: "Newest first: of the case, when it is given, then what you said in any case.",
        tags: ["cases"],
        security: asPerson,
        querystring: Type.Object({ case: Type.Optional(uuid) }, strict),
        response: {
          200: Type.Object({ evidencePurposes: Type.Array(Type.String()), stages: Type.Array(Type.String()) }),
          default: problem,
        },
      },
    },
    (request) => bindingSuggestions(deps.db, personOf(request), { caseId: request.query.case }),
  );
}
