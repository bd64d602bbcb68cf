import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Button, Empty, Spin } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "wouter";
import { api, asked } from "../api/client.ts";
import type { RecorderDetail } from "../api/types.ts";
import { Facts } from "../clip/facts-panel.tsx";
import { durationText, shanghaiTime } from "../format.ts";
import { Panel } from "../shared/panel.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { offsetText } from "./finding-sentence.ts";
import { FindingsList } from "./findings-list.tsx";

/** A recorder: its clock, what its cards were said to hold, its recordings, and what does not fit among them. */
export default function RecorderPage({ serial }: { serial: string }): ReactNode {
  const { t } = useTranslation();
  const [search, setSearch] = useSearchParams();
  const { data: recorder, error } = useQuery({
    queryKey: ["recorder", serial],
    queryFn: () => asked(api.GET("/api/v1/recorders/{serial}", { params: { path: { serial } } })),
  });
  if (error !== null) {
    return (
      <div className="page">
        <ProblemNotice error={error} />
      </div>
    );
  }
  if (recorder === undefined) return <Spin className="waiting" />;
  return (
    <div className="page">
      <div className="page-head">
        <h1>
          {t("findings.recorder")} {serial}
        </h1>
        <Link href={`/clips?recorder=${encodeURIComponent(serial)}`}>{t("recorders.toClips")}</Link>
      </div>
      <div className="home-columns">
        <div className="home-column">
          <Panel title={t("home.findings")} name="findings-panel">
            <FindingsList
              recorder={serial}
              kind={search.get("kind")}
              state={search.get("state")}
              onFilter={(wanted) => setSearch(wanted, { replace: true })}
            />
          </Panel>
          <RecordingsPanel serial={serial} />
        </div>
        <div className="home-column">
          <FactsPanel recorder={recorder} />
          <ManifestsPanel manifests={recorder.manifests} />
        </div>
      </div>
    </div>
  );
}

function FactsPanel({ recorder }: { recorder: RecorderDetail }): ReactNode {
  const { t } = useTranslation();
  const { lastClock: clock } = recorder;
  return (
    <Panel title={t("clip.facts")} name="facts-panel">
      <Facts
        facts={[
          [t("recorders.registered"), shanghaiTime(recorder.registeredAt)],
          [t("recorders.lastArrival"), shanghaiTime(recorder.lastArrivalAt)],
          [t("recorders.clips"), recorder.clipCount],
          [
            t("recorders.clock"),
            clock === null ? (
              t("recorders.clockUnknown")
            ) : (
              <>
                {offsetText(clock.offsetMs, t)}{" "}
                <span className="quiet">
                  {t("clip.uncertainty", { seconds: clock.uncertaintyMs / 1000 })} · {shanghaiTime(clock.at)}
                </span>
              </>
            ),
          ],
          [
            t("recorders.analysed"),
            recorder.analysedAt === null ? t("recorders.notAnalysed") : shanghaiTime(recorder.analysedAt),
          ],
        ]}
      />
    </Panel>
  );
}

/** Each leads to its first segment that arrived; originals are never joined. */
function RecordingsPanel({ serial }: { serial: string }): ReactNode {
  const { t } = useTranslation();
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: ["recordings", serial],
    queryFn: ({ pageParam }) => {
      const cursor = pageParam === undefined ? {} : { cursor: pageParam };
      return asked(api.GET("/api/v1/recordings", { params: { query: { recorder: serial, limit: 20, ...cursor } } }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
  });
  const recordings = data?.pages.flatMap((page) => page.items);
  return (
    <Panel title={t("recorders.recordings")} name="recordings-panel">
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {recordings === undefined && error === null && <Spin />}
      {recordings?.length === 0 && (
        <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t("recorders.noRecordings")} />
      )}
      {recordings !== undefined && recordings.length > 0 && (
        <table className="plain-table small-table">
          <thead>
            <tr>
              <th scope="col">{t("recorders.begins")}</th>
              <th scope="col">{t("recorders.ends")}</th>
              <th scope="col">{t("recorders.segments")}</th>
              <th scope="col">{t("recorders.recorded")}</th>
            </tr>
          </thead>
          <tbody>
            {recordings.map(({ id, beginsAt, endsAt, segmentCount, recordedSeconds }) => (
              <tr key={id}>
                <td>
                  <Link href={`/clips/${id}`}>
                    {beginsAt === null ? t("recorders.noZone") : shanghaiTime(beginsAt)}
                  </Link>
                </td>
                <td>{shanghaiTime(endsAt)}</td>
                <td>{segmentCount}</td>
                <td>{recordedSeconds === null ? "–" : durationText(recordedSeconds)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {hasNextPage && (
        <Button block loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t("findings.more")}
        </Button>
      )}
    </Panel>
  );
}

function ManifestsPanel({ manifests }: { manifests: RecorderDetail["manifests"] }): ReactNode {
  const { t } = useTranslation();
  return (
    <Panel title={t("recorders.manifests")} name="manifests-panel">
      {manifests.length === 0 ? (
        <p className="quiet">{t("recorders.noManifests")}</p>
      ) : (
        <table className="plain-table small-table">
          <thead>
            <tr>
              <th scope="col">{t("recorders.readAt")}</th>
              <th scope="col">{t("recorders.entries")}</th>
              <th scope="col">{t("recorders.clock")}</th>
            </tr>
          </thead>
          <tbody>
            {manifests.map(({ id, readAt, entryCount, clockOffsetMs }) => (
              <tr key={id}>
                <td>{shanghaiTime(readAt)}</td>
                <td>{entryCount}</td>
                <td>{clockOffsetMs === null ? "–" : offsetText(clockOffsetMs, t)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
