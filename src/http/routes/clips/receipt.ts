import Type from "typebox";
import { DocksealError } from "#kernel";
import { receiptOfClip } from "#seal";
import { everyone } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import { problemDocument } from "../../problem-replies.ts";
import type { App } from "../../routed.ts";
import { asEither, idParams } from "../../schemas.ts";
import { visibleClip } from "./visible-clip.ts";

export function receiptRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/clips/:id/receipt",
    {
      config: { access: ["station", ...everyone], operation: "clips.receipt" },
      schema: {
        summary: "Read the receipt",
        description:
          "The proof that the clip is held: check it with `dockseal verify`, and wipe a card only on one that passed. " +
          "The header `dockseal-witnessed` says `yes` when enough witnesses cosigned its checkpoint, else `no`: then " +
          "the receipt becomes another text once they did.",
        tags: ["clips"],
        security: asEither,
        params: idParams,
        response: {
          200: Type.Any({ description: "dockseal/receipt@v1, see docs/formats.md" }),
          202: Type.Any({ description: "Not sealed yet (a problem document): ask again after `Retry-After`" }),
          default: Type.Any({ description: "Problem document (RFC 9457)" }),
        },
      },
    },
    async (request, reply) => {
      const clip = await visibleClip(request, deps.db, request.params.id);
      if (clip.state === "quarantined") throw new DocksealError("quarantined");
      const receipt = await receiptOfClip(deps.db, clip.id);
      if (receipt === undefined) {
        const waiting = new DocksealError("not-sealed-yet", { detail: `state is ${clip.state}` });
        reply.status(202).header("retry-after", 2).header("content-type", "application/problem+json; charset=utf-8");
        return reply.send(JSON.stringify(problemDocument(waiting, request.id)));
      }
      return reply
        .header("content-type", "application/json; charset=utf-8")
        .header("content-disposition", `attachment; filename="${clip.id}.receipt.json"`)
        .header("dockseal-witnessed", receipt.witnessed ? "yes" : "no")
        .send(receipt.text);
    },
  );
}
