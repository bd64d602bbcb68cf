import Type from "typebox";
import { bindingRevisions } from "#cases";
import { pendingSteps } from "#db";
import { derivativesOf } from "#derive";
import { clipDetail, repairsOfClip } from "#ingest";
import { recordingOfClip } from "#recordings";
import { everyone } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import {
  asEither,
  binding,
  clip,
  derivative,
  idParams,
  nullable,
  pendingStep,
  problem,
  repair,
  uuid,
} from "../../schemas.ts";
import { namedBindings } from "../cases/named-bindings.ts";
import { visibleClip } from "./visible-clip.ts";

export function readClipRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/clips/:id",
    {
      config: { access: ["station", ...everyone], operation: "clips.read" },
      schema: {
        summary: "Read a clip",
        tags: ["clips"],
        security: asEither,
        params: idParams,
        response: {
          200: Type.Intersect([
            clip,
            Type.Object({
              metadata: Type.Unknown({ description: "As the station sent it" }),
              mediaFacts: Type.Unknown({ description: "What ffprobe found" }),
              recordingId: nullable({ ...uuid, description: "Recording that it is a segment of" }),
              derivatives: Type.Array(derivative),
              pending: Type.Array(pendingStep, { description: "What is still to be done, and why it is not done yet" }),
              repairs: Type.Array(repair, { description: "Times that the bytes were put back from the replica" }),
              bindings: Type.Array(binding, { description: "All revisions, oldest first" }),
            }),
          ]),
          default: problem,
        },
      },
    },
    async (request) => {
      const { id, organizationId } = await visibleClip(request, deps.db, request.params.id);
      const [detail, recordingId, derivatives, repairs, bindings, pending] = await Promise.all([
        clipDetail(deps.db, id),
        recordingOfClip(deps.db, id),
        derivativesOf(deps.db, id),
        repairsOfClip(deps.db, id),
        bindingRevisions(deps.db, { clipId: id }),
        pendingSteps(deps.db, id),
      ]);
      const shown = derivatives.map(({ id: _id, objectKey: _key, versionId: _version, ...rest }) => rest);
      return {
        ...detail,
        recordingId: recordingId ?? null,
        derivatives: shown,
        repairs,
        bindings: await namedBindings(deps.db, organizationId, bindings),
        pending,
      };
    },
  );
}
