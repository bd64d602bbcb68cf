import { Empty } from "antd";
import { Fragment, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { shanghaiTime } from "../format.ts";
import { BindingFacts } from "../shared/binding-facts.tsx";
import { ClipMarks, ClipPicture, StateTag } from "../shared/clip-tags.tsx";
import { Panel } from "../shared/panel.tsx";
import type { Entry } from "./contents.ts";

/** The recordings of a case, day by day. */
export function Footage({ entries }: { entries: readonly Entry[] }): ReactNode {
  const { t } = useTranslation();
  let day = "";
  return (
    <Panel title={t("casework.footage", { count: entries.length })} name="case-clips">
      {entries.length === 0 && <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t("casework.noFootage")} />}
      {entries.map((entry) => {
        const { clip } = entry;
        const captured =
          clip.capturedAt === null ? t("casework.dayUnknown") : shanghaiTime(clip.capturedAt).slice(0, 10);
        const isNew = captured !== day;
        day = captured;
        return (
          <Fragment key={clip.id}>
            {isNew && <h3>{captured}</h3>}
            <Recording entry={entry} />
          </Fragment>
        );
      })}
    </Panel>
  );
}

function Recording({ entry: { clip, revisions } }: { entry: Entry }): ReactNode {
  const { t } = useTranslation();
  return (
    <div className="case-clip">
      <Link href={`/clips/${clip.id}`} tabIndex={-1} aria-hidden>
        <ClipPicture clip={clip} />
      </Link>
      <BindingFacts
        revisions={revisions}
        about={
          clip.source === "person" ? `${t(`kind.${clip.kind}`)} · ${t("casework.byPerson")}` : t(`kind.${clip.kind}`)
        }
        head={() => (
          <>
            <Link href={`/clips/${clip.id}`}>{clip.fileName}</Link> <StateTag state={clip.state} />
            <ClipMarks clip={clip} />
          </>
        )}
      />
    </div>
  );
}
