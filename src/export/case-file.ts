import { originalPath } from "./bag/layout.ts";
import type { Dossier, DossierClip } from "./dossier.ts";

/**
 * `data/case.json`: the case, its clips as they were received and sealed, and every revision of every binding. For an
 * export of one clip there is no case, and the bindings are those of the clip.
 */
export function caseFileOf({ subject, organization, case: file, clips, bindings }: Dossier, exportId: string) {
  return {
    type: "dockseal/export-case@v1",
    export: exportId,
    subject: "caseId" in subject ? { case: subject.caseId } : { clip: subject.clipId },
    number: file?.number ?? null,
    title: file?.title ?? null,
    openedAt: file?.createdAt ?? null,
    organization,
    clips: clips.map(clipFacts),
    bindings,
  };
}

function clipFacts(clip: DossierClip) {
  const { record, detail, seal } = clip;
  const { sizeBytes, sha256, sm3 } = seal.manifest;
  const { kind, recorderSerial, stationId, receivedAt, sealedAt, retainedUntil, important, playable } = detail;
  return {
    id: record.id,
    path: originalPath(clip),
    kind,
    mediaType: record.mediaType,
    sizeBytes,
    sha256,
    sm3,
    stationId,
    recorderSerial,
    receivedAt,
    sealedAt,
    retainedUntil,
    important,
    playable,
    metadata: record.metadata,
    mediaFacts: detail.mediaFacts,
  };
}
