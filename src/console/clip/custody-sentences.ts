import type { TFunction } from "i18next";
import type { CustodyLine } from "../api/types.ts";
import { shanghaiTime, shortened, sizeText } from "../format.ts";
import { isReason } from "../shared/clip-tags.tsx";
import { zh } from "../words/zh.ts";

type EventWords = Exclude<keyof typeof zh.custody.events, "unknown">;
type Outcome = keyof typeof zh.custody.outcome;

/**
 * What happened, in one sentence; an event that is newer than the console is named by its type.
 * @param lines one event, or what one audit found intact.
 */
export function sentenceOf(lines: readonly CustodyLine[], personId: string, t: TFunction): string {
  const [line] = lines;
  if (line === undefined) return "";
  const actor = actorWords(line, personId, t);
  if (lines.length > 1) {
    const read = lines.map(({ details }) => String((details as { role?: string } | null)?.role ?? "–"));
    const roles = read
      .toSorted((a, b) => roleOrder.indexOf(a) - roleOrder.indexOf(b))
      .map((role) => roleWords(role, t));
    return t("chain.custody.audited", { actor, roles: roles.join(t("custody.between")) });
  }
  const words = line.type.replace(".", "_");
  if (!(words in zh.custody.events) || words === "unknown")
    return t("custody.events.unknown", { actor, type: line.type });
  return t(`custody.events.${words as EventWords}`, { actor, ...told(line, t) });
}

export function toneOf({ type, details }: CustodyLine): "good" | "bad" | "plain" | "quiet" {
  const { intact, outcome } = (details ?? {}) as { intact?: boolean; outcome?: string };
  if (type === "clip.quarantined" || intact === false || outcome === "damaged" || outcome === "missing") return "bad";
  if (type === "clip.sealed" || type === "clip.verified" || type === "clip.fixity-checked") return "good";
  return type === "clip.viewed" || type === "clip.derived" ? "quiet" : "plain";
}

/** What the sentences name: everything of the details is looked at before it is believed to be there. */
function told({ type, details }: CustodyLine, t: TFunction): Record<string, string> {
  const about = (typeof details === "object" && details !== null ? details : {}) as Record<string, unknown>;
  const text = (name: string): string => (typeof about[name] === "string" ? (about[name] as string) : "–");
  switch (type) {
    case "clip.received": {
      const size = typeof about["sizeBytes"] === "number" ? sizeText(about["sizeBytes"]) : "–";
      return { size, sha256: shortened(text("sha256")) };
    }
    case "clip.hashed":
      return { until: typeof about["retainedUntil"] === "string" ? shanghaiTime(about["retainedUntil"]) : "–" };
    case "clip.sealed": {
      const { genTime } = (about["timestamp"] ?? {}) as { genTime?: string };
      return { time: genTime === undefined ? "–" : shanghaiTime(genTime) };
    }
    case "clip.unplayable": {
      const reason = text("reason");
      return { reason: isReason(reason) ? t(`unplayable.${reason}`) : reason };
    }
    case "clip.derived": {
      const made = (Array.isArray(about["derivatives"]) ? about["derivatives"] : []) as { role?: string }[];
      return { roles: made.map(({ role }) => roleWords(role ?? "–", t)).join(t("custody.between")) };
    }
    case "clip.viewed": {
      const original = text("rendition") === "original";
      // Before purposes were stated.
      if (typeof about["purpose"] !== "string") {
        const rendition = t(original ? "custody.original" : "custody.playback");
        return { viewed: t("player.viewedUnsaid", { rendition }) };
      }
      return { viewed: t(original ? "player.readOriginal" : "player.viewed", { purpose: about["purpose"] }) };
    }
    case "clip.verified": {
      const outcome = about["intact"] === true ? "intact" : about["repaired"] === true ? "repaired" : "damaged";
      return { outcome: t(`custody.${outcome}`) };
    }
    case "clip.fixity-checked": {
      const outcome = text("outcome");
      const known = outcome in zh.custody.outcome;
      return {
        role: roleWords(text("role"), t),
        outcome: known ? t(`custody.outcome.${outcome as Outcome}`) : outcome,
      };
    }
    case "clip.quarantined":
      return { reason: quarantineWords(text("reason"), t) };
    case "clip.repaired":
      return { from: text("copiedFrom") };
    case "clip.replicated":
      return { location: text("location") };
    default:
      return { reason: text("reason"), purpose: text("evidencePurpose"), revision: String(about["revision"] ?? "–") };
  }
}

const roleOrder: readonly string[] = ["original", "playback", "poster", "sprite", "waveform"];

function roleWords(role: string, t: TFunction): string {
  if (role === "original") return t("custody.original");
  const known = ["playback", "poster", "sprite", "waveform"] as const;
  const found = known.find((candidate) => candidate === role);
  return found === undefined ? role : t(`clip.derivative.${found}`);
}

/** The two reasons that the product gives (src/seal/quarantine.ts); another one as it stands. */
export function quarantineWords(reason: string, t: TFunction): string {
  if (reason === "the stored object is missing") return t("chain.custody.quarantine.missing");
  return reason === "the stored bytes are not what came in" ? t("chain.custody.quarantine.differs") : reason;
}

/** `person:<id>`, `station:<id>`, `system:<name>`: by the name that they have now. */
function actorWords({ actor, actorName }: CustodyLine, personId: string, t: TFunction): string {
  const [kind = "", id = ""] = actor.split(":");
  if (kind === "person") {
    return id === personId ? t("custody.actor.me") : (actorName ?? t("custody.actor.person", { id: id.slice(-6) }));
  }
  if (kind === "station") {
    return actorName === null
      ? t("chain.custody.someStation", { id: id.slice(-6) })
      : t("chain.custody.station", { name: actorName });
  }
  return t(id === "command-line" ? "chain.custody.commandLine" : "chain.custody.system");
}
