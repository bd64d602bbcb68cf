import Type from "typebox";
import { addDocument, caseOf } from "#cases";
import { clipDetail } from "#ingest";
import { DocksealError } from "#kernel";
import { documentSchema, parseDocumentMetadata } from "#metadata";
import { checked } from "#schema";
import { personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, clip, idParams, problem } from "../../schemas.ts";
import { readMultipartForm } from "../clips/multipart-clip.ts";
import { envelopeBytes } from "../clips/receive-clip.ts";
import { answerTaken, duringUpload } from "../clips/take-upload.ts";

const checkId = checked(idParams);

export function addDocumentRoute(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/cases/:id/documents",
    {
      config: { access: ["handler", "administrator"], operation: "cases.add-document" },
      // The body is a stream, which no validator ever sees: its schema is for the document only. The id is checked below.
      validatorCompiler: () => () => true,
      schema: {
        summary: "Add a document to a case",
        description:
          "A form with the field `metadata` (JSON) first and the field `file` after it. It becomes a clip like those of stations, bound to the case at once. `Repr-Digest` (RFC 9530) is honoured.",
        tags: ["cases"],
        security: asPerson,
        params: idParams,
        consumes: ["multipart/form-data"],
        body: Type.Object({ metadata: documentSchema, file: Type.String({ format: "binary" }) }),
        response: {
          200: { ...clip, description: "Your organization's people brought the same bytes before: the clip from then" },
          201: { ...clip, description: "Taken, and bound. It is evidence once its state is `sealed`" },
          default: problem,
        },
      },
    },
    async (request, reply) => {
      const declaredLength = Number(request.headers["content-length"] ?? 0);
      if (declaredLength > deps.limits.maxBytes + envelopeBytes) throw new DocksealError("file-too-large");
      const person = personOf(request);
      const { id } = checkId(request.params);
      await caseOf(deps.db, id, person.organizationId);
      const received = await duringUpload(
        { request, deps, bringerId: person.id },
        () => readMultipartForm(request, "metadata", parseDocumentMetadata),
        ({ metadata, body }, { ingest, ...upload }) => addDocument(ingest, id, person, { ...upload, metadata, body }),
      );
      const detail = await clipDetail(deps.db, received.clipId);
      if (received.created) deps.metrics.uploadedBytes.inc(detail.sizeBytes);
      return answerTaken(reply, received.created, detail);
    },
  );
}
