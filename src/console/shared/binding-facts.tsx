import { EditOutlined, RollbackOutlined, UndoOutlined } from "@ant-design/icons";
import { Button, Tag } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Binding } from "../api/types.ts";
import { shanghaiTime } from "../format.ts";
import { mayBind, useSignedIn } from "../session.ts";
import { CaseLink } from "./case-link.tsx";
import { CorrectDialog, WithdrawDialog } from "./correct-binding.tsx";
import { type Change, changesOf } from "./revision-changes.ts";

/** The revisions of each binding, newest first; the binding that changed last stands first. */
export function groupedBindings(bindings: readonly Binding[]): readonly (readonly Binding[])[] {
  const groups = new Map<string, Binding[]>();
  for (const binding of bindings) groups.set(binding.id, [...(groups.get(binding.id) ?? []), binding]);
  const sorted = [...groups.values()].map((group) => group.toSorted((a, b) => b.revision - a.revision));
  return sorted.toSorted((a, b) => (b[0]?.createdAt ?? "").localeCompare(a[0]?.createdAt ?? ""));
}

interface Given {
  readonly revisions: readonly Binding[];
  /** What the binding leads to: its case, or its clip. */
  readonly head: (current: Binding) => ReactNode;
  /** What else is known of that, beside the annotations. */
  readonly about?: string;
}

/** A binding as it holds now, with what may be done about it, and what stood there before. */
export function BindingFacts({ revisions, head, about }: Given): ReactNode {
  const { t } = useTranslation();
  const { role } = useSignedIn();
  const [doing, setDoing] = useState<"correct" | "withdraw">();
  const [current] = revisions;
  if (current === undefined) return null;
  const { evidencePurpose, stage, capturePlace, capturedAt, collectorNumber } = current;
  const facts = [about ?? "", stage, capturedAt, capturePlace, collectorNumber].filter(
    (text) => text !== null && text !== "",
  );
  return (
    <div className={current.withdrawn ? "binding withdrawn" : "binding"} data-binding={current.id}>
      <div className="binding-head">
        <b>{head(current)}</b>
        {current.withdrawn && <Tag>{t("binding.withdrawn")}</Tag>}
        {revisions.length > 1 && <Tag>{t("binding.revision", { revision: current.revision })}</Tag>}
      </div>
      <div>{t("binding.purposeIs", { purpose: evidencePurpose })}</div>
      <div className="quiet">{facts.join(" · ")}</div>
      <div className="binding-foot">
        {revisions.length > 1 ? (
          <details>
            <summary>{t("correct.history", { count: revisions.length })}</summary>
            <ol className="revisions">
              {revisions.map((binding, at) => (
                <Revision key={binding.revision} binding={binding} before={revisions[at + 1]} />
              ))}
            </ol>
          </details>
        ) : (
          <span className="quiet">
            <MadeBy binding={current} />
          </span>
        )}
        {mayBind(role) && (
          <span className="binding-actions">
            {!current.withdrawn && (
              <Button size="small" type="text" icon={<EditOutlined />} onClick={() => setDoing("correct")}>
                {t("correct.correct")}
              </Button>
            )}
            <Button
              size="small"
              type="text"
              icon={current.withdrawn ? <UndoOutlined /> : <RollbackOutlined />}
              onClick={() => setDoing("withdraw")}
            >
              {current.withdrawn ? t("correct.restore") : t("correct.withdraw")}
            </Button>
          </span>
        )}
      </div>
      {doing === "correct" && <CorrectDialog binding={current} onClose={() => setDoing(undefined)} />}
      {doing === "withdraw" && <WithdrawDialog binding={current} onClose={() => setDoing(undefined)} />}
    </div>
  );
}

function MadeBy({ binding }: { binding: Binding }): ReactNode {
  const { t } = useTranslation();
  const who = binding.madeBy.startsWith("system:")
    ? t("binding.byUpload")
    : (binding.madeByName ?? binding.madeBy.slice(-6));
  return `${shanghaiTime(binding.createdAt)} · ${who}`;
}

/** What a revision changed, who made it and why; of the first one, what was said when the clip was bound. */
function Revision({ binding, before }: { binding: Binding; before: Binding | undefined }): ReactNode {
  const { t } = useTranslation();
  const changes = before === undefined ? [] : changesOf(before, binding);
  return (
    <li data-revision={binding.revision}>
      <div>
        <Tag>{t("binding.revision", { revision: binding.revision })}</Tag> <MadeBy binding={binding} />
      </div>
      {binding.reason !== null && <div>{t("binding.reason", { reason: binding.reason })}</div>}
      {before === undefined && (
        <>
          <div>{t("binding.purposeIs", { purpose: binding.evidencePurpose })}</div>
          <div className="quiet">
            {[binding.stage, binding.capturedAt, binding.capturePlace, binding.collectorNumber]
              .filter((text) => text !== null)
              .join(" · ")}
          </div>
        </>
      )}
      {changes.map((change) => (
        <ChangeLine key={change.field} change={change} />
      ))}
    </li>
  );
}

function ChangeLine({ change: { field, from, to } }: { change: Change }): ReactNode {
  const { t } = useTranslation();
  if (field === "withdrawn") return <div>{to === true ? t("correct.wasWithdrawn") : t("correct.wasRestored")}</div>;
  const shown = (value: Change["from"]): ReactNode =>
    field === "caseId" && typeof value === "string" ? <CaseLink id={value} /> : (value ?? t("correct.nothing"));
  return (
    <div className="change">
      {t(`correct.field.${field}`)} <del>{shown(from)}</del> {t("correct.to")} <ins>{shown(to)}</ins>
    </div>
  );
}
