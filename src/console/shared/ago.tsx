import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { shanghaiTime } from "../format.ts";

const units = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

/** How long ago something was, with the time itself behind it. This computer's clock may be behind the server's: then it was just now. */
export function Ago({ at }: { at: string }): ReactNode {
  const { t, i18n } = useTranslation();
  const seconds = (Date.now() - Date.parse(at)) / 1000;
  const [unit, length] = units.find(([, length]) => seconds >= length) ?? units[3];
  const said =
    seconds < 5
      ? t("home.justNow")
      : new Intl.RelativeTimeFormat(i18n.language, { style: i18n.language === "en" ? "long" : "short" }).format(
          -Math.floor(seconds / length),
          unit,
        );
  return (
    <time dateTime={at} title={shanghaiTime(at)}>
      {said}
    </time>
  );
}
