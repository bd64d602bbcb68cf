import { useInfiniteQuery } from "@tanstack/react-query";
import { Button, Empty, Segmented, Spin, Tag } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, asked } from "../api/client.ts";
import type { Finding } from "../api/types.ts";
import { shanghaiTime } from "../format.ts";
import { useSignedIn } from "../session.ts";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { AcknowledgeDialog } from "./acknowledge-dialog.tsx";
import { type FindingFilter, findingFilterOf } from "./finding-filter.ts";
import { clipsOf, sentenceOf } from "./finding-sentence.ts";

interface Given {
  /** Of one recorder; of all where it is left out. */
  readonly recorder?: string;
  /** Open findings by kind: what can be chosen among. */
  readonly counts?: Readonly<Record<string, number>>;
  /** As they stand in the address. */
  readonly kind: string | null;
  readonly state: string | null;
  readonly onFilter: (search: Record<string, string>) => void;
}

const pageSize = 20;
const states = ["open", "acknowledged", "closed"] as const;

/** What does not fit on recorders' time lines, each in a sentence, and what somebody said about it. */
export function FindingsList({ recorder, counts, onFilter, ...given }: Given): ReactNode {
  const { t } = useTranslation();
  const filter = findingFilterOf(given);
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ["findings", recorder, filter],
    queryFn: ({ pageParam }) => {
      const cursor = pageParam === undefined ? {} : { cursor: pageParam };
      const query = { ...filter, ...(recorder === undefined ? {} : { recorder }), ...cursor, limit: pageSize };
      return asked(api.GET("/api/v1/findings", { params: { query } }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
  });
  const findings = data?.pages.flatMap((page) => page.items);
  const choose = ({ state, kind }: FindingFilter): void =>
    onFilter({ ...(state !== "open" && { state }), ...(kind !== undefined && { kind }) });
  return (
    <>
      <div className="findings-filter">
        <Segmented
          aria-label={t("findings.state")}
          value={filter.state}
          options={states.map((state) => ({ value: state, label: t(`findings.states.${state}`) }))}
          onChange={(state) => choose({ state })}
        />
        {counts !== undefined && filter.state === "open" && <Kinds counts={counts} filter={filter} choose={choose} />}
      </div>
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {findings === undefined && error === null && <Spin />}
      {findings?.length === 0 && (
        <Empty
          image={Empty.PRESENTED_IMAGE_SIMPLE}
          description={
            filter.state === "open" && filter.kind === undefined ? (
              <>
                <div>{t("findings.none")}</div>
                <div className="quiet">{t("findings.noneHint")}</div>
              </>
            ) : (
              t("findings.noneLike")
            )
          }
        />
      )}
      <ul className="findings">
        {findings?.map((finding) => (
          <Line key={finding.id} finding={finding} withRecorder={recorder === undefined} />
        ))}
      </ul>
      {hasNextPage && (
        <Button block loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t("findings.more")}
        </Button>
      )}
    </>
  );
}

function Kinds({
  counts,
  filter,
  choose,
}: {
  counts: Readonly<Record<string, number>>;
  filter: FindingFilter;
  choose: (filter: FindingFilter) => void;
}): ReactNode {
  const { t } = useTranslation();
  return (
    <span className="kinds">
      {Object.entries(counts).map(([kind, count]) => {
        const chosen = filter.kind === kind;
        return (
          <Tag.CheckableTag
            key={kind}
            checked={chosen}
            onChange={() => choose({ state: "open", ...(chosen ? {} : { kind: kind as Finding["kind"] }) })}
          >
            {t(`findings.kinds.${kind as Finding["kind"]}`)} {count}
          </Tag.CheckableTag>
        );
      })}
    </span>
  );
}

function Line({ finding, withRecorder }: { finding: Finding; withRecorder: boolean }): ReactNode {
  const { t } = useTranslation();
  const { role } = useSignedIn();
  const [explaining, setExplaining] = useState(false);
  const clipIds = clipsOf(finding);
  const names = clipIds.length === 2 ? (["fileBefore", "fileAfter"] as const) : (["file"] as const);
  const { acknowledgement } = finding;
  return (
    <li className="finding" data-kind={finding.kind} data-state={finding.state}>
      <div className="finding-head">
        <Tag color={finding.state === "open" ? "gold" : "default"}>{t(`findings.kinds.${finding.kind}`)}</Tag>
        {withRecorder && (
          <Link href={`/recorders/${encodeURIComponent(finding.recorderSerial)}`}>
            {t("findings.recorder")} {finding.recorderSerial}
          </Link>
        )}
        <span className="quiet finding-time">{t("findings.first", { time: shanghaiTime(finding.firstSeenAt) })}</span>
      </div>
      <div className="finding-said">
        <span>{sentenceOf(finding, t)}</span>
        {clipIds.slice(0, 2).map((id, index) => (
          <Link key={id} href={`/clips/${id}`}>
            {t(`findings.${names[index] ?? "file"}`)}
          </Link>
        ))}
        {finding.state === "open" && (role === "supervisor" || role === "administrator") && (
          <Button size="small" onClick={() => setExplaining(true)}>
            {t("findings.acknowledge")}
          </Button>
        )}
      </div>
      {acknowledgement !== null && (
        <div className="quiet">
          {t("findings.said", {
            name: acknowledgement.by.name,
            time: shanghaiTime(acknowledgement.at),
            reason: acknowledgement.reason,
          })}
        </div>
      )}
      {explaining && <AcknowledgeDialog finding={finding} onClose={() => setExplaining(false)} />}
    </li>
  );
}
