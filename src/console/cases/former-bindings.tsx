import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Binding } from "../api/types.ts";
import { BindingFacts } from "../shared/binding-facts.tsx";
import { CaseLink } from "../shared/case-link.tsx";
import { ClipName } from "../shared/clip-name.tsx";
import { Panel } from "../shared/panel.tsx";

/** What was bound to the case once: it stays readable, and can be brought back. */
export function FormerBindings({
  caseId,
  former,
}: {
  caseId: string;
  former: readonly (readonly Binding[])[];
}): ReactNode {
  const { t } = useTranslation();
  return (
    <Panel title={t("casework.former", { count: former.length })} name="case-former">
      {former.map((revisions) => (
        <BindingFacts
          key={revisions[0]?.id}
          revisions={revisions}
          head={(current) => (
            <>
              <Link href={`/clips/${current.clipId}`}>
                <ClipName id={current.clipId} />
              </Link>
              {current.caseId !== caseId && (
                <span className="quiet">
                  {" "}
                  {t("casework.nowIn")} <CaseLink id={current.caseId} />
                </span>
              )}
            </>
          )}
        />
      ))}
    </Panel>
  );
}
