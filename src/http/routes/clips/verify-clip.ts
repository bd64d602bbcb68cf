import Type from "typebox";
import { verifyStored } from "#seal";
import { everyone, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, idParams, nullable, problem } from "../../schemas.ts";
import { visibleClip } from "./visible-clip.ts";

const figures = { sizeBytes: Type.Integer(), sha256: Type.String() };

export function verifyClipRoute(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/clips/:id/verify",
    {
      config: { access: everyone, operation: "clips.verify" },
      schema: {
        summary: "Verify on the server",
        description:
          "Reads the stored bytes again now, and compares. The outcome is logged; a difference puts the clip into quarantine.",
        tags: ["clips"],
        security: asPerson,
        params: idParams,
        response: {
          200: Type.Object({
            intact: Type.Boolean(),
            expected: Type.Object({ ...figures, sm3: nullable(Type.String()) }),
            found: nullable(Type.Object({ ...figures, sm3: Type.String() })),
          }),
          default: problem,
        },
      },
    },
    async (request, reply) => {
      const clip = await visibleClip(request, deps.db, request.params.id);
      const left = new AbortController();
      reply.raw.once("close", () => left.abort());
      const onQuarantine = (clipId: string, reason: string): void =>
        request.log.error({ clipId, reason }, "clip quarantined");
      return verifyStored(
        { db: deps.db, storeUrl: deps.storeUrl, onQuarantine },
        clip.id,
        personOf(request),
        left.signal,
      );
    },
  );
}
