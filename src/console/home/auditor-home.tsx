import { Tag } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Overview } from "../api/types.ts";
import { Facts } from "../clip/facts-panel.tsx";
import { Ago } from "../shared/ago.tsx";
import { InEnglish } from "../shared/in-english.tsx";
import { Panel } from "../shared/panel.tsx";
import { AlarmsPanel } from "./alarms-panel.tsx";
import { Figures, numberText } from "./figures.tsx";
import { FixityPanel } from "./fixity-panel.tsx";

export type AuditorFigures = NonNullable<Overview["auditor"]>;

export function AuditorHome({ figures }: { figures: AuditorFigures }): ReactNode {
  const { t } = useTranslation();
  const { log, openAlarms } = figures;
  const { checkpoint } = log;
  const unwitnessed = (checkpoint?.size ?? 0) - log.witnessedSize;
  return (
    <>
      <Figures
        label={t("home.figures")}
        figures={[
          {
            name: t("home.entries"),
            value: numberText(log.entries),
            hint: `${t("home.waiting")} ${numberText(log.waiting)}`,
          },
          {
            name: t("home.checkpoint"),
            value: checkpoint === null ? "–" : <Ago at={checkpoint.signedAt} />,
            hint: checkpoint === null ? "" : t("home.covers", { size: numberText(checkpoint.size) }),
            ...(checkpoint === null && { tone: "open" as const }),
          },
          {
            name: t("home.witnessed"),
            value: log.witnessedSize === 0 ? "–" : numberText(log.witnessedSize),
            hint:
              log.witnessedSize === 0
                ? t("home.notWitnessed")
                : unwitnessed > 0
                  ? t("home.behind", { count: unwitnessed })
                  : t("home.witnessedAll"),
            ...(log.witnessedSize === 0 && { tone: "open" as const }),
          },
          {
            name: t("home.alarms"),
            value: numberText(openAlarms),
            hint: openAlarms === 0 ? t("home.noAlarms") : t("home.someAlarms"),
            tone: openAlarms === 0 ? "good" : "bad",
          },
        ]}
      />
      <div className="home-columns">
        <div className="home-column">
          <FixityPanel figures={figures.fixity} />
          <LogPanel figures={figures} />
        </div>
        <div className="home-column">
          <AlarmsPanel />
        </div>
      </div>
    </>
  );
}

/** Who besides us holds the log to what it says: witnesses, and timestamp authorities. */
function LogPanel({ figures: { log, timestamps } }: { figures: AuditorFigures }): ReactNode {
  const { t } = useTranslation();
  const size = log.checkpoint?.size ?? 0;
  return (
    <Panel title={t("home.log")} name="log-panel">
      {log.checkpoint === null && <p className="quiet">{t("home.noCheckpoint")}</p>}
      <h3>{t("home.witnesses")}</h3>
      {log.witnesses.length === 0 ? (
        <p className="quiet">{t("home.noWitnesses")}</p>
      ) : (
        <table className="plain-table small-table">
          <thead>
            <tr>
              <th scope="col">{t("home.witness")}</th>
              <th scope="col">{t("home.witnessSize")}</th>
              <th scope="col">{t("home.lastSeen")}</th>
            </tr>
          </thead>
          <tbody>
            {log.witnesses.map((witness) => (
              <tr key={witness.name}>
                <td className="digest">{witness.name}</td>
                <td>
                  {numberText(witness.size)}{" "}
                  {witness.size < size && (
                    <span className="quiet">{t("home.behind", { count: size - witness.size })}</span>
                  )}
                </td>
                <td>
                  <Ago at={witness.receivedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <h3>{t("home.authorities")}</h3>
      {timestamps.authorities.length === 0 ? (
        <p className="quiet">{t("home.noAuthorities")}</p>
      ) : (
        <table className="plain-table small-table">
          <thead>
            <tr>
              <th scope="col">{t("home.authority")}</th>
              <th scope="col">{t("home.lastToken")}</th>
            </tr>
          </thead>
          <tbody>
            {timestamps.authorities.map(({ authority, independent, lastTokenAt }) => (
              <tr key={authority}>
                <td>
                  <span className="digest">{authority}</span>{" "}
                  <Tag color={independent ? "green" : "gold"}>
                    {independent ? t("home.independent") : t("home.builtIn")}
                  </Tag>
                </td>
                <td>
                  <Ago at={lastTokenAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Facts
        facts={[
          [t("home.waitingStamps"), timestamps.waitingClips === 0 ? t("home.noneWaits") : timestamps.waitingClips],
        ]}
      />
      {timestamps.lastError !== null && (
        <p className="bad">
          {t("home.lastError")} <InEnglish text={timestamps.lastError} />
        </p>
      )}
    </Panel>
  );
}
