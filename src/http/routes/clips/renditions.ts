import { derivativesOf } from "#derive";
import { DocksealError } from "#kernel";
import { noteOriginalRead, requirePurpose } from "#review";
import { everyone, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, idParams } from "../../schemas.ts";
import { sendObject } from "./send-object.ts";
import { visibleClip } from "./visible-clip.ts";

const derivatives = ["playback", "poster", "sprite", "waveform"] as const;
/** What shows more of a recording than lists do. */
const viewed: readonly string[] = ["playback", "sprite"];

export function renditionRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/clips/:id/original",
    {
      config: { access: everyone, operation: "clips.original" },
      schema: {
        summary: "Read the original, whole or in ranges",
        description:
          "Only after this session stated a purpose (`POST /api/v1/clips/{id}/viewings`); its first read is logged as well.",
        tags: ["clips"],
        security: asPerson,
        params: idParams,
      },
    },
    async (request, reply) => {
      const clip = await visibleClip(request, deps.db, request.params.id);
      const person = personOf(request);
      // HEAD sends none of it.
      if (request.method === "HEAD") await requirePurpose(deps.db, clip.id, person);
      else await noteOriginalRead(deps.db, clip.id, person);
      return sendObject(request, reply, deps.store, {
        ref: { key: clip.objectKey, versionId: clip.versionId },
        sizeBytes: clip.sizeBytes,
        sha256: clip.sha256,
        mediaType: clip.mediaType,
        downloadName: clip.fileName,
      });
    },
  );
  for (const role of derivatives) {
    app.get(
      `/api/v1/clips/:id/${role}`,
      {
        config: { access: everyone, operation: `clips.${role}` },
        schema: {
          summary: `Read the ${role === "playback" ? "playable copy" : role}`,
          description: `A derivative of the original, whole or in ranges.${viewed.includes(role) ? " Only after this session stated a purpose (`POST /api/v1/clips/{id}/viewings`)." : ""}`,
          tags: ["clips"],
          security: asPerson,
          params: idParams,
        },
      },
      async (request, reply) => {
        const clip = await visibleClip(request, deps.db, (request.params as { id: string }).id);
        const found = (await derivativesOf(deps.db, clip.id)).find((derivative) => derivative.role === role);
        if (found === undefined) throw new DocksealError(role === "playback" ? "no-playback" : "not-found");
        if (viewed.includes(role)) await requirePurpose(deps.db, clip.id, personOf(request));
        return sendObject(request, reply, deps.store, {
          ref: { key: found.objectKey, versionId: found.versionId },
          sizeBytes: found.sizeBytes,
          sha256: found.sha256,
          mediaType: found.mediaType,
        });
      },
    );
  }
}
