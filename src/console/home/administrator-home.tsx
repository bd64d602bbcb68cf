import { Empty, Progress, Tag } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Overview } from "../api/types.ts";
import { Facts } from "../clip/facts-panel.tsx";
import { sizeText } from "../format.ts";
import { Ago } from "../shared/ago.tsx";
import { InEnglish } from "../shared/in-english.tsx";
import { Panel } from "../shared/panel.tsx";
import { AlarmsPanel, useAlarms } from "./alarms-panel.tsx";
import { numberText } from "./figures.tsx";
import { useStations } from "./use-stations.ts";

type AdministratorFigures = NonNullable<Overview["administrator"]>;

export function AdministratorHome({ figures }: { figures: AdministratorFigures }): ReactNode {
  return (
    <div className="home-columns">
      <div className="home-column">
        <StationsPanel stations={figures.stations} />
        <WorkPanel work={figures.work} />
      </div>
      <div className="home-column">
        <StorePanel store={figures.store} />
        <AlarmsPanel />
      </div>
    </div>
  );
}

function StationsPanel({ stations }: { stations: AdministratorFigures["stations"] }): ReactNode {
  const { t } = useTranslation();
  const beats = useStations();
  const alarms = useAlarms();
  const silent = new Set(
    alarms.data?.items.filter(({ kind }) => kind === "gateway-station-silent").map(({ subject }) => subject),
  );
  return (
    <Panel title={t("home.stations")} name="stations-panel">
      {stations.length === 0 ? (
        <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t("home.noStations")} />
      ) : (
        <table className="plain-table small-table">
          <thead>
            <tr>
              <th scope="col">{t("home.station")}</th>
              <th scope="col">{t("home.heard")}</th>
              <th scope="col">{t("home.heartbeat")}</th>
            </tr>
          </thead>
          <tbody>
            {stations.map(({ id, name, number, lastHeardAt }) => {
              const beat = beats.data?.items.find((station) => station.id === id)?.gateway;
              return (
                <tr key={id} data-station={number}>
                  <td>
                    <Link href={`/clips?station=${id}`}>{name}</Link>
                    <div className="quiet">{number}</div>
                  </td>
                  <td>
                    {lastHeardAt === null ? (
                      <span className="open">{t("home.neverHeard")}</span>
                    ) : (
                      <Ago at={lastHeardAt} />
                    )}{" "}
                    {silent.has(id) && <Tag color="red">{t("home.silent")}</Tag>}
                  </td>
                  <td>{beat === undefined ? "" : <Heartbeat beat={beat} />}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

type Beat = NonNullable<ReturnType<typeof useStations>["data"]>["items"][number]["gateway"];

/** What a station says of itself, as it says it; only those of the gateway do. */
function Heartbeat({ beat }: { beat: Beat }): ReactNode {
  const { t } = useTranslation();
  if (beat === null || beat.lastSeenAt === null) {
    return (
      <span className="quiet" title={t("home.noHeartbeatHint")}>
        {t("home.noHeartbeat")}
      </span>
    );
  }
  const parts = [
    beat.freeMib !== null && beat.totalMib !== null
      ? `${t("home.space")} ${sizeText(beat.freeMib * 1024 ** 2)} / ${sizeText(beat.totalMib * 1024 ** 2)}`
      : undefined,
    beat.raidState !== null ? t("home.raid", { state: beat.raidState }) : undefined,
    beat.version !== null ? t("home.version", { version: beat.version }) : undefined,
  ].filter((part) => part !== undefined);
  return (
    <>
      <Ago at={beat.lastSeenAt} />
      <div className="quiet">{parts.join(" · ")}</div>
    </>
  );
}

function WorkPanel({ work }: { work: AdministratorFigures["work"] }): ReactNode {
  const { t } = useTranslation();
  return (
    <Panel title={t("home.work")} name="work-panel">
      {work.length === 0 ? (
        <Empty
          image={Empty.PRESENTED_IMAGE_SIMPLE}
          description={
            <>
              <div className="good">{t("home.noWork")}</div>
              <div className="quiet">{t("home.noWorkHint")}</div>
            </>
          }
        />
      ) : (
        <table className="plain-table small-table">
          <thead>
            <tr>
              <th scope="col">{t("home.step")}</th>
              <th scope="col">{t("home.workCount")}</th>
              <th scope="col">{t("home.workFailed")}</th>
              <th scope="col">{t("home.workSince")}</th>
            </tr>
          </thead>
          <tbody>
            {work.map(({ step, count, failedCount, oldestSince, lastError }) => (
              <tr key={step} data-step={step}>
                <td>{t(`home.steps.${step}`)}</td>
                <td>{numberText(count)}</td>
                <td className={failedCount > 0 ? "bad" : ""}>
                  {numberText(failedCount)}
                  {lastError !== null && <InEnglish text={lastError} />}
                </td>
                <td>
                  <Ago at={oldestSince} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function StorePanel({ store }: { store: AdministratorFigures["store"] }): ReactNode {
  const { t } = useTranslation();
  const { answers, writeOnce, space } = store;
  return (
    <Panel title={t("home.store")} name="store-panel">
      <Facts
        facts={[
          [
            t("home.location"),
            <>
              {t(`home.storeKind.${store.kind}`)} <span className="digest">{store.location}</span>
            </>,
          ],
          [
            t("home.answers"),
            <span key="answers" className={answers.ok ? "good" : "bad"}>
              {answers.ok ? t("home.answersYes") : `${t("home.answersNo")}: ${answers.detail}`}
            </span>,
          ],
          [
            t("home.writeOnce"),
            <div key="worm">
              <span className={writeOnce.ok ? "good" : "open"}>
                {writeOnce.ok ? t("home.writeOnceYes") : t("home.writeOnceNo")}
              </span>
              <InEnglish text={writeOnce.detail} />
            </div>,
          ],
          [t("home.disk"), <Disk key="disk" store={store} space={space} />],
        ]}
      />
    </Panel>
  );
}

function Disk({
  store,
  space,
}: Pick<AdministratorFigures["store"], "space"> & { store: AdministratorFigures["store"] }) {
  const { t } = useTranslation();
  if (space === null) return store.kind === "s3" ? t("home.noDisk") : t("home.diskUnknown");
  const { freeBytes, totalBytes } = space;
  const used = totalBytes === 0 ? 0 : Math.round(((totalBytes - freeBytes) / totalBytes) * 100);
  return (
    <>
      <Progress aria-label={t("home.disk")} percent={used} size="small" strokeColor="var(--accent)" />
      <span className="quiet">{t("home.diskFree", { free: sizeText(freeBytes), total: sizeText(totalBytes) })}</span>
    </>
  );
}
