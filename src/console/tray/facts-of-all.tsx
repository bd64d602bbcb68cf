import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Clip } from "../api/types.ts";
import { inCommon } from "./in-common.ts";

/** What comes from the clips themselves and is not typed: what all have is shown, what differs each keeps. */
export function FactsOfAll({ clips }: { clips: readonly Clip[] }): ReactNode {
  const { t } = useTranslation();
  const times = clips.map((clip) => clip.capturedAtRaw).toSorted();
  const facts = [
    [t("clip.recorder"), clips.map((clip) => clip.recorderSerial), listed],
    [t("binding.capturedAt"), times, (known: readonly string[]) => `${known[0]} … ${known.at(-1)}`],
    [t("binding.place"), clips.map((clip) => clip.placeText), listed],
    [t("binding.collector"), clips.map((clip) => clip.collectorNumber), listed],
  ] as const;
  return (
    <dl className="facts facts-of-all">
      {facts.map(([name, values, several]) => (
        <Fact key={name} {...{ name, values, several }} />
      ))}
    </dl>
  );
}

/** The first few, so that one sees what they are. */
function listed(known: readonly string[]): string {
  return known.length > 3 ? `${known.slice(0, 3).join(" / ")} …` : known.join(" / ");
}

interface FactGiven {
  readonly name: string;
  readonly values: readonly (string | null)[];
  /** How several values are told. */
  readonly several: (known: readonly string[]) => string;
}

function Fact({ name, values, several }: FactGiven): ReactNode {
  const { t } = useTranslation();
  const { values: known, missing, same } = inCommon(values);
  return (
    <>
      <dt>{name}</dt>
      <dd>
        {same ?? (
          <>
            {known.length > 1 && <b>{t("tray.each")} </b>}
            {known.length > 0 && <span className="quiet">{known.length > 1 ? several(known) : known[0]}</span>}
            {missing > 0 && <span className="open"> {t("tray.withoutPlace", { count: missing })}</span>}
          </>
        )}
      </dd>
    </>
  );
}
