import { memo, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { ListedClip } from "../api/types.ts";
import { shanghaiTime } from "../format.ts";
import { ClipPicture, StateTag } from "../shared/clip-tags.tsx";
import { CaseNumbers } from "./case-numbers.tsx";

/** A clip among pictures. */
export const ClipCard = memo(function ClipCard({ clip }: { clip: ListedClip }): ReactNode {
  const { t } = useTranslation();
  return (
    <Link href={`/clips/${clip.id}`} className="clip-card">
      <ClipPicture clip={clip} />
      <span className="clip-card-state">
        <StateTag state={clip.state} />
      </span>
      <span className="clip-card-text">
        <b title={clip.fileName}>{clip.fileName}</b>
        <span className="quiet">{clip.capturedAt === null ? clip.capturedAtRaw : shanghaiTime(clip.capturedAt)}</span>
        <span className="quiet" title={clip.placeText ?? ""}>
          {t(`kind.${clip.kind}`)} · {clip.placeText ?? clip.collectorNumber}
        </span>
        {(clip.cases.length > 0 || clip.caseNumber !== null) && <CaseNumbers clip={clip} />}
      </span>
    </Link>
  );
});
