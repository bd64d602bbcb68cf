import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { ListedClip } from "../api/types.ts";

/** The cases that a clip is bound to; else the number that its station sent along, which binds nothing by itself. */
export function CaseNumbers({ clip }: { clip: ListedClip }): ReactNode {
  const { t } = useTranslation();
  if (clip.cases.length > 0) {
    const numbers = clip.cases.map(({ number }) => number).join("、");
    return <span title={numbers}>{numbers}</span>;
  }
  if (clip.caseNumber === null) return <span className="quiet">–</span>;
  return (
    <span className="quiet" title={`${t("clip.caseNumber")} ${clip.caseNumber}`}>
      {clip.caseNumber} {t("clips.notBound")}
    </span>
  );
}
