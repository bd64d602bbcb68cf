import { Fragment, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { ClipDetail } from "../api/types.ts";
import { durationText, shanghaiTime, sizeText } from "../format.ts";
import { Panel } from "../shared/panel.tsx";

type Fact = readonly [name: string, value: ReactNode];

export function Facts({ facts }: { facts: readonly Fact[] }): ReactNode {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

/** What the station measured of the recorder's clock, as it stands in the metadata that it sent. */
interface Measured {
  readonly capturedAtZone?: string;
  readonly clockOffsetMs?: number;
  readonly clockUncertaintyMs?: number;
  readonly interruptionReason?: string;
  readonly durationSeconds?: number;
}

export function FactsPanel({ clip }: { clip: ClipDetail }): ReactNode {
  const { t } = useTranslation();
  const metadata = clip.metadata as Measured;
  const media = clip.mediaFacts as { durationSeconds?: number; container?: string } | null;
  const duration = media?.durationSeconds ?? metadata.durationSeconds;
  const facts: Fact[] = [
    [
      t("clip.capturedRaw"),
      <>
        {clip.capturedAtRaw}{" "}
        {metadata.capturedAtZone !== undefined && <span className="quiet">{metadata.capturedAtZone}</span>}
      </>,
    ],
    [t("clip.capturedCorrected"), <CorrectedTime key="corrected" clip={clip} measured={metadata} />],
    [t("clip.place"), clip.placeText ?? "–"],
    [t("clip.collector"), clip.collectorNumber],
    [t("clip.recorder"), clip.recorderSerial ?? t("casework.byPerson")],
    [t("clip.caseNumber"), clip.caseNumber ?? "–"],
  ];
  if (clip.stage !== null) facts.push([t("clip.stage"), clip.stage]);
  if (metadata.interruptionReason !== undefined) facts.push([t("clip.interruption"), metadata.interruptionReason]);
  const format = `${t(`kind.${clip.kind}`)} · ${clip.mediaType} · ${sizeText(clip.sizeBytes)}`;
  facts.push(
    [t("clip.format"), duration === undefined ? format : `${format} · ${durationText(duration)}`],
    [t("clip.received"), shanghaiTime(clip.receivedAt)],
    [t("clip.sealed"), shanghaiTime(clip.sealedAt)],
    [t("clip.retained"), shanghaiTime(clip.retainedUntil)],
  );
  return (
    <Panel title={t("clip.facts")} name="facts-panel">
      <Facts facts={facts} />
    </Panel>
  );
}

/** The recorder's time less what its clock was off, with how far that may be wrong. */
function CorrectedTime({ clip, measured }: { clip: ClipDetail; measured: Measured }): ReactNode {
  const { t } = useTranslation();
  if (clip.capturedAt === null) return <span className="quiet">{t("clip.zoneUnknown")}</span>;
  const { clockOffsetMs, clockUncertaintyMs } = measured;
  const seconds = (ms: number): string => (Math.abs(ms) / 1000).toFixed(1);
  if (clockOffsetMs === undefined) {
    return (
      <>
        {shanghaiTime(clip.capturedAt)}
        {clip.source !== "person" && <div className="quiet">{t("clip.clockUnknown")}</div>}
      </>
    );
  }
  return (
    <>
      {shanghaiTime(Date.parse(clip.capturedAt) - clockOffsetMs)}{" "}
      {clockUncertaintyMs === undefined
        ? t("clip.noUncertainty")
        : t("clip.uncertainty", { seconds: seconds(clockUncertaintyMs) })}
      <div className="quiet">
        {t(clockOffsetMs < 0 ? "clip.clockBehind" : "clip.clockOffset", { seconds: seconds(clockOffsetMs) })}
      </div>
    </>
  );
}

/** Digests of the original. */
export function DigestsPanel({ clip }: { clip: ClipDetail }): ReactNode {
  const { t } = useTranslation();
  const digest = (text: string | null): ReactNode => <span className="digest">{text ?? "–"}</span>;
  return (
    <Panel title={t("clip.digests")} name="digests-panel">
      <Facts
        facts={[
          ["SHA-256", digest(clip.sha256)],
          ["SM3", digest(clip.sm3)],
          ["ID", digest(clip.id)],
        ]}
      />
    </Panel>
  );
}
