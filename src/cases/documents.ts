import type { PersonActor } from "#identity";
import { type IngestDependencies, type Received, receiveClip, type Upload } from "#ingest";
import { isProblem } from "#kernel";
import type { DocumentMetadata } from "#metadata";
import { bindIn } from "./bindings.ts";

/**
 * Adds a document to a case: a scanned record, a photo of a paper. It is a clip like all others, through the same ingest,
 * and bound to the case in the transaction that makes it: killed at any point, there are both or neither. The same bytes
 * again are the clip from then, bound to the case when it is not.
 * @throws DocksealError `not-found` for a case of another organization, and all of `receiveClip`.
 */
export async function addDocument(
  deps: IngestDependencies,
  caseId: string,
  person: PersonActor,
  upload: { readonly metadata: DocumentMetadata } & Pick<Upload, "body" | "signal" | "traceId" | "reprSha256">,
): Promise<Received> {
  const { metadata } = upload;
  const { capturedAt, collectorNumber, evidencePurpose, stage, place } = metadata;
  const said = { capturedAt, collectorNumber, evidencePurpose, stage, capturePlace: place.text };
  return receiveClip(deps, {
    ...upload,
    person,
    origin: {
      source: "person",
      details: {},
      settle: async (tx, { clipId, created }) => {
        try {
          await bindIn(tx, caseId, { clipId, ...said }, person);
        } catch (error) {
          // Of an upload whose answer was lost the binding is there already.
          if (created || !isProblem(error, "conflict")) throw error;
        }
      },
    },
  });
}
