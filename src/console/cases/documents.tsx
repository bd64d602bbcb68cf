import { DownloadOutlined, PlusOutlined } from "@ant-design/icons";
import { Button, Empty } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { sizeText } from "../format.ts";
import { mayBind, useSignedIn } from "../session.ts";
import { BindingFacts } from "../shared/binding-facts.tsx";
import { KindIcon, StateTag } from "../shared/clip-tags.tsx";
import { Panel } from "../shared/panel.tsx";
import { AddDocumentDialog } from "./add-document.tsx";
import type { Entry } from "./contents.ts";

interface Given {
  readonly caseId: string;
  readonly entries: readonly Entry[];
  /** That are named in the case already. */
  readonly places: readonly string[];
}

/** Text records of the same party beside its footage (同一执法对象的文字记录、音像记录集中存储). */
export function Documents({ caseId, entries, places }: Given): ReactNode {
  const { t } = useTranslation();
  const { role } = useSignedIn();
  const [adding, setAdding] = useState(false);
  return (
    <Panel
      title={t("casework.documents", { count: entries.length })}
      name="case-documents"
      extra={
        mayBind(role) && (
          <Button icon={<PlusOutlined />} onClick={() => setAdding(true)}>
            {t("casework.add")}
          </Button>
        )
      }
    >
      {entries.length === 0 && <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t("casework.noDocuments")} />}
      {entries.map(({ clip, revisions }) => (
        <div key={clip.id} className="case-document">
          <span className="case-document-sign">
            <KindIcon kind={clip.kind} />
          </span>
          <BindingFacts
            revisions={revisions}
            {...(clip.source === "person" ? { about: t("casework.byPerson") } : {})}
            head={() => (
              <>
                <Link href={`/clips/${clip.id}`}>{clip.fileName}</Link> <StateTag state={clip.state} />
              </>
            )}
          />
          <Button
            type="text"
            icon={<DownloadOutlined />}
            href={`/api/v1/clips/${clip.id}/original`}
            download={clip.fileName}
            aria-label={t("casework.download", { name: clip.fileName })}
            title={t("casework.downloadNoted", { size: sizeText(clip.sizeBytes) })}
          />
        </div>
      ))}
      {adding && <AddDocumentDialog {...{ caseId, places }} onClose={() => setAdding(false)} />}
    </Panel>
  );
}
