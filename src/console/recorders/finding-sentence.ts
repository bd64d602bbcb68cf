import type { TFunction } from "i18next";
import type { Finding } from "../api/types.ts";
import { sizeText } from "../format.ts";

/** What a finding follows from, as `GET /api/v1/findings` gives it: which members there are goes by its kind. */
interface Evidence {
  readonly clipIds?: readonly string[];
  readonly reason?: string;
  readonly firstMissing?: number;
  readonly lastMissing?: number;
  readonly missingCount?: number;
  readonly gapMs?: number;
  readonly overlapMs?: number;
  readonly backMs?: number;
  readonly endedAtLatest?: string;
  readonly receivedAt?: string;
  readonly lateAfterSeconds?: number;
  readonly capturedAtRaw?: string | readonly string[];
  readonly offsetsMs?: readonly number[];
  readonly fileName?: string;
  readonly capturedAt?: string;
  readonly unreadableBytes?: number;
  readonly listed?: { readonly sizeBytes?: number };
  readonly arrived?: { readonly sizeBytes?: number };
}

/** The clips that a finding is about, in the order of the recorder. */
export function clipsOf({ evidence }: Finding): readonly string[] {
  return (evidence as Evidence).clipIds ?? [];
}

/** What was found, in the language of whoever reads it; the API says it in English alone. */
export function sentenceOf({ kind, evidence, detail }: Finding, t: TFunction): string {
  const found = evidence as Evidence;
  switch (kind) {
    case "gap-in-sequence": {
      const { firstMissing: from, lastMissing: to, missingCount: count } = found;
      return count === 1 ? t("findings.one", { from }) : t("findings.several", { from, to, count });
    }
    case "gap-in-time":
      return t("findings.gap", { duration: spanText((found.gapMs ?? 0) / 1000, t) });
    case "overlap":
      return t("findings.overlap", { duration: spanText((found.overlapMs ?? 0) / 1000, t) });
    case "late-arrival": {
      const late = (Date.parse(found.receivedAt ?? "") - Date.parse(found.endedAtLatest ?? "")) / 1000;
      return t("findings.late", { late: spanText(late, t), limit: spanText(found.lateAfterSeconds ?? 0, t) });
    }
    case "clock-jump":
      return clockSentence(found, t) ?? detail;
    case "never-arrived":
      return t("findings.absent", { fileName: found.fileName, capturedAt: found.capturedAt });
    case "incomplete-source":
      return t("findings.unreadable", { size: sizeText(found.unreadableBytes ?? 0) });
    case "differs-from-manifest": {
      const [arrived, listed] = [found.arrived?.sizeBytes, found.listed?.sizeBytes];
      if (arrived === undefined || listed === undefined || arrived === listed) return t("findings.digestDiffers");
      return t("findings.sizeDiffers", { arrived: bytesText(arrived), listed: bytesText(listed) });
    }
  }
}

function clockSentence({ reason, capturedAtRaw: raw, backMs = 0, offsetsMs }: Evidence, t: TFunction) {
  switch (reason) {
    case "impossible-date":
      return t("findings.impossible", { raw: String(raw) });
    case "future":
      return t("findings.future", { raw: String(raw) });
    case "order":
      return t("findings.order", { duration: spanText(backMs / 1000, t) });
    case "offset":
      return t("findings.offset", {
        before: offsetText(offsetsMs?.[0] ?? 0, t),
        after: offsetText(offsetsMs?.[1] ?? 0, t),
      });
    default:
      return undefined;
  }
}

/** How far a recorder's clock is off: `快 90 秒`. */
export function offsetText(ms: number, t: TFunction): string {
  const duration = spanText(Math.abs(ms) / 1000, t);
  return ms < 0 ? t("findings.slow", { duration }) : t("findings.fast", { duration });
}

/** In the largest unit that it is two of: `26 h`, `3 days`; a limit of a day is 24 h. */
function spanText(seconds: number, t: TFunction): string {
  const [unit, length] = (
    [
      ["days", 86_400],
      ["hours", 3_600],
      ["minutes", 60],
    ] as const
  ).find(([, length]) => seconds >= 2 * length) ?? ["seconds", 1];
  const value = seconds / length;
  return t(`findings.${unit}`, { value: Number(value.toFixed(value < 10 ? 1 : 0)) });
}

const bytesText = (bytes: number): string => `${new Intl.NumberFormat("en-US").format(bytes)} B`;
