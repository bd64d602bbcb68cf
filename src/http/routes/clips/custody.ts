import Type from "typebox";
import { custodyOfClip, eventProof } from "#custody";
import { namesOfActors } from "#identity";
import { DocksealError } from "#kernel";
import { everyone } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, idParams, nullable, problem, strict, uuid } from "../../schemas.ts";
import { visibleClip } from "./visible-clip.ts";

export function custodyRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/clips/:id/custody",
    {
      config: { access: everyone, operation: "clips.custody" },
      schema: {
        summary: "Read the chain of custody",
        description: "Everything that happened to the clip, oldest first.",
        tags: ["clips"],
        security: asPerson,
        params: idParams,
        response: {
          200: Type.Object({
            items: Type.Array(
              Type.Object({
                id: Type.String(),
                type: Type.String(),
                at: Type.String(),
                actor: Type.String({ description: "`person:<id>`, `station:<id>` or `system:<name>`, as logged" }),
                actorName: nullable(
                  Type.String({
                    description:
                      "What a person or station is called now: looked up at reading, for no name enters the log",
                  }),
                ),
                details: Type.Unknown(),
                index: nullable(Type.Integer({ description: "Place in the custody log" })),
              }),
            ),
          }),
          default: problem,
        },
      },
    },
    async (request) => {
      const clip = await visibleClip(request, deps.db, request.params.id);
      const lines = await custodyOfClip(deps.db, clip.id);
      const names = await namesOfActors(
        deps.db,
        lines.map(({ actor }) => actor),
      );
      return { items: lines.map((line) => ({ ...line, actorName: names.get(line.actor) ?? null })) };
    },
  );
  app.get(
    "/api/v1/clips/:id/custody/:eventId/proof",
    {
      config: { access: everyone, operation: "clips.custody-proof" },
      schema: {
        summary: "Read what proves one event of the chain of custody",
        description:
          "The entry of the log, what its commitment opens to, and the proof that it stands in the log; bytes are base64.",
        tags: ["clips"],
        security: asPerson,
        params: Type.Object({ id: uuid, eventId: uuid }, strict),
        response: {
          200: Type.Object({
            index: Type.Integer({ description: "Place in the custody log" }),
            entry: Type.String(),
            opening: nullable(Type.String({ description: "Null for `clip.seal-published`, whose entry says it all" })),
            proof: Type.String({ description: "c2sp.org/tlog-proof@v1, as text" }),
          }),
          default: problem,
        },
      },
    },
    async (request) => {
      const clip = await visibleClip(request, deps.db, request.params.id);
      const lines = await custodyOfClip(deps.db, clip.id);
      const found = lines.find(({ id }) => id === request.params.eventId);
      const proof = found === undefined ? undefined : await eventProof(deps.db, found.id);
      if (proof === undefined) {
        const detail = "No such event of this clip, or no checkpoint covers it yet";
        throw new DocksealError("not-found", { detail });
      }
      const { index, leaf, opening } = proof;
      return {
        index,
        entry: leaf.toString("base64"),
        opening: opening?.toString("base64") ?? null,
        proof: proof.proof,
      };
    },
  );
}
