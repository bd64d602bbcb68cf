import Type from "typebox";
import { SEAL_BUNDLE_MEDIA_TYPE } from "#evidence";
import { DocksealError } from "#kernel";
import { hasSealBundle, sealBundleOfClip } from "#seal";
import { everyone } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import { problemDocument } from "../../problem-replies.ts";
import type { App } from "../../routed.ts";
import { asEither, idParams } from "../../schemas.ts";
import { visibleClip } from "./visible-clip.ts";

export function sealBundleRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/clips/:id/bundle",
    {
      config: { access: ["station", ...everyone], operation: "clips.bundle" },
      schema: {
        summary: "Read the seal bundle",
        description:
          "The original's signature, its entry in the log and its timestamp, as Sigstore's tools read them. Text, short files and clips that an older version sealed have none (`404 no-seal-bundle`).",
        tags: ["clips"],
        security: asEither,
        params: idParams,
        response: {
          200: Type.Any({ description: `${SEAL_BUNDLE_MEDIA_TYPE}, see docs/formats.md` }),
          202: Type.Any({ description: "Not sealed yet (a problem document): ask again after `Retry-After`" }),
          default: Type.Any({ description: "Problem document (RFC 9457)" }),
        },
      },
    },
    async (request, reply) => {
      const clip = await visibleClip(request, deps.db, request.params.id);
      if (clip.state === "quarantined") throw new DocksealError("quarantined");
      if (clip.state === "sealed" && !(await hasSealBundle(deps.db, clip.id)))
        throw new DocksealError("no-seal-bundle");
      const bundle = await sealBundleOfClip(deps.db, clip.id);
      if (bundle === undefined) {
        const waiting = new DocksealError("not-sealed-yet", { detail: `state is ${clip.state}` });
        reply.status(202).header("retry-after", 2).header("content-type", "application/problem+json; charset=utf-8");
        return reply.send(JSON.stringify(problemDocument(waiting, request.id)));
      }
      return reply
        .header("content-type", SEAL_BUNDLE_MEDIA_TYPE)
        .header("content-disposition", `attachment; filename="${clip.id}.sigstore.json"`)
        .send(bundle);
    },
  );
}
