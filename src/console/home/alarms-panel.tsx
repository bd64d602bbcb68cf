import { useQuery } from "@tanstack/react-query";
import { Empty, Spin, Tag } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api, asked } from "../api/client.ts";
import type { Alarm } from "../api/types.ts";
import { shortened } from "../format.ts";
import { Ago } from "../shared/ago.tsx";
import { InEnglish } from "../shared/in-english.tsx";
import { Panel } from "../shared/panel.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { zh } from "../words/zh.ts";
import { useStations } from "./use-stations.ts";

type Known = keyof typeof zh.alarms;
const everyMs = 30_000;

/** Alarms that are open. */
export function useAlarms() {
  return useQuery({
    queryKey: ["alarms"],
    queryFn: () => asked(api.GET("/api/v1/alarms")),
    staleTime: everyMs,
    refetchInterval: everyMs,
  });
}

/** What somebody has to look at: what it means, what to do, and what it is about. */
export function AlarmsPanel(): ReactNode {
  const { t } = useTranslation();
  const { data, error, refetch } = useAlarms();
  const count = data?.items.length ?? 0;
  return (
    <Panel title={t("home.alarms")} name="alarms-panel" extra={count > 0 && <Tag color="red">{count}</Tag>}>
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {data === undefined && error === null && <Spin />}
      {data !== undefined && count === 0 && (
        <Empty
          image={Empty.PRESENTED_IMAGE_SIMPLE}
          description={
            <>
              <div className="good">{t("home.noAlarms")}</div>
              <div className="quiet">{t("home.noAlarmsHint")}</div>
            </>
          }
        />
      )}
      <ul className="alarms">
        {data?.items.map((alarm) => (
          <Line key={alarm.id} alarm={alarm} />
        ))}
      </ul>
    </Panel>
  );
}

function Line({ alarm }: { alarm: Alarm }): ReactNode {
  const { t } = useTranslation();
  const kind: Known = alarm.kind in zh.alarms ? (alarm.kind as Known) : "unknown";
  return (
    <li className="alarm" data-kind={alarm.kind}>
      <div className="alarm-head">
        <b className="bad">{t(`alarms.${kind}.title`, { kind: alarm.kind })}</b>
        <span className="quiet">
          <Ago at={alarm.raisedAt} />
        </span>
      </div>
      <div>{t(`alarms.${kind}.advice`)}</div>
      <div className="quiet">
        {t("home.alarmSubject")} <Subject alarm={alarm} />
      </div>
      <InEnglish text={alarm.detail} />
    </li>
  );
}

/** A clip leads to its page; a station is named. */
function Subject({ alarm: { kind, subject } }: { alarm: Alarm }): ReactNode {
  const { t } = useTranslation();
  const stations = useStations();
  const [id = "", part] = subject.split("/");
  if (kind === "fixity-damage" || kind === "replica-damage") {
    const role = (["playback", "poster", "sprite", "waveform"] as const).find((role) => role === part);
    return (
      <Link href={`/clips/${id}`}>
        {t("home.clip")} {shortened(id)}
        {role !== undefined && ` · ${t(`clip.derivative.${role}`)}`}
      </Link>
    );
  }
  if (kind.startsWith("gateway-")) {
    const station = stations.data?.items.find((station) => station.id === id);
    return station === undefined ? shortened(id) : `${station.name} ${station.number}`;
  }
  return <span className="digest">{subject}</span>;
}
