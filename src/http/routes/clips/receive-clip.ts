import Type from "typebox";
import { DocksealError } from "#kernel";
import { metadataSchema } from "#metadata";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asStation, problem } from "../../schemas.ts";
import { readMultipartClip } from "./multipart-clip.ts";
import { takenClip, takeUpload } from "./take-upload.ts";

/** Envelope of a form beside the file: boundaries, headers and the metadata. */
export const envelopeBytes = 256 * 1024;

export function receiveClipRoute(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/clips",
    {
      config: { access: ["station"], operation: "clips.receive" },
      // The schema of the body is for the document only: the body is a stream, which no validator ever sees.
      validatorCompiler: () => () => true,
      schema: {
        summary: "Send a clip",
        description:
          "A form with the field `metadata` (JSON) first and the field `file` after it. `Repr-Digest` (RFC 9530) is honoured.",
        tags: ["clips"],
        security: asStation,
        consumes: ["multipart/form-data"],
        body: Type.Object({ metadata: metadataSchema, file: Type.String({ format: "binary" }) }),
        response: { ...takenClip, default: problem },
      },
    },
    async (request, reply) => {
      const declaredLength = Number(request.headers["content-length"] ?? 0);
      if (declaredLength > deps.limits.maxBytes + envelopeBytes) throw new DocksealError("file-too-large");
      return takeUpload({ request, reply, deps }, () => readMultipartClip(request));
    },
  );
}
