import Type from "typebox";
import { verifyStored } from "#seal";
import { everyone, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, idParams, nullable, problem } from "../../schemas.ts";
import { progressLines } from "./progress-lines.ts";
import { visibleClip } from "./visible-clip.ts";

const figures = { sizeBytes: Type.Integer(), sha256: Type.String() };
const verification = Type.Object({
  intact: Type.Boolean(),
  repaired: Type.Boolean({ description: "Not intact, but put right from the replica" }),
  expected: Type.Object({ ...figures, sm3: nullable(Type.String()) }),
  found: nullable(Type.Object({ ...figures, sm3: Type.String() })),
});

/** One of the lines. */
const line = Type.Object({
  progress: Type.Optional(
    Type.Object({
      bytesRead: Type.Integer(),
      bytesTotal: Type.Integer(),
      look: Type.Integer({ minimum: 1, maximum: 2, description: "2: a difference is looked at a second time" }),
    }),
  ),
  result: Type.Optional(verification),
  problem: Type.Optional(problem),
});

export function verifyClipRoute(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/clips/:id/verify",
    {
      config: { access: everyone, operation: "clips.verify" },
      schema: {
        summary: "Verify on the server",
        description: [
          "Reads the stored bytes again now, and compares. The outcome is logged; a difference puts the clip into quarantine, unless the replica has a good copy. Who hangs up ends it, and nothing is logged.",
          "With `Accept: application/x-ndjson` the answer begins at once, one JSON object a line:",
          "`{progress}` about twice a second while bytes come, else as a sign of life;",
          "the last line is `{result}`, the same object that is the answer otherwise, or `{problem}`, a problem document, since the status was sent before. A body that ends without either is no answer.",
        ].join(" "),
        tags: ["clips"],
        security: asPerson,
        params: idParams,
        response: {
          200: {
            description: "What was found",
            content: { "application/json": { schema: verification }, "application/x-ndjson": { schema: line } },
          },
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
      const own = { db: deps.db, storeUrl: deps.storeUrl, onQuarantine, repair: deps.repair };
      const verify = (onProgress?: Parameters<typeof verifyStored>[4]) =>
        verifyStored(own, clip.id, personOf(request), left.signal, onProgress);
      if (request.headers.accept?.includes("application/x-ndjson") !== true) return verify();
      return progressLines(request, reply, left.signal, verify);
    },
  );
}
