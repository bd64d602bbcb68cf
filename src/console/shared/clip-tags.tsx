import {
  AudioOutlined,
  CustomerServiceOutlined,
  FileOutlined,
  FileTextOutlined,
  PictureOutlined,
  VideoCameraOutlined,
} from "@ant-design/icons";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Clip, ClipKind, ClipState } from "../api/types.ts";

const tones = { received: "quiet", hashed: "going", sealed: "good", quarantined: "bad" } as const;

/** A word on a ground of its own colour. Lists show thousands of them: antd's tags cost ten times as much to make. */
function Word({ tone, title, children }: { tone: string; title?: string; children: string }): ReactNode {
  return (
    <span className={`tag ${tone}`} title={title}>
      {children}
    </span>
  );
}

export function StateTag({ state }: { state: ClipState }): ReactNode {
  const { t } = useTranslation();
  return (
    <span className={`tag ${tones[state]}`} title={t(`stateHint.${state}`)} data-state={state}>
      {t(`state.${state}`)}
    </span>
  );
}

/** What is worth knowing before one opens a clip. */
export function ClipMarks({ clip }: { clip: Clip }): ReactNode {
  const { t } = useTranslation();
  const why = clip.unplayableReason ?? "";
  return (
    <>
      {clip.important && <Word tone="open">{t("clips.important")}</Word>}
      {clip.incompleteSource && <Word tone="open">{t("clips.incomplete")}</Word>}
      {clip.playable === false && clip.kind !== "text" && (
        <Word tone="quiet" title={isReason(why) ? t(`unplayable.${why}`) : why}>
          {t("clips.unplayable")}
        </Word>
      )}
      {clip.source === "gateway" && <Word tone="quiet">{t("clips.weak")}</Word>}
    </>
  );
}

const reasons = [
  ...(["empty", "not-media", "unsupported-format", "no-moov", "no-stream", "codec-not-allowed"] as const),
  "decode-failed",
] as const;
export type UnplayableReason = (typeof reasons)[number];
export function isReason(text: string): text is UnplayableReason {
  return reasons.some((reason) => reason === text);
}

const icons: Readonly<Record<ClipKind, ReactNode>> = {
  video: <VideoCameraOutlined />,
  audio: <AudioOutlined />,
  photo: <PictureOutlined />,
  text: <FileTextOutlined />,
  other: <FileOutlined />,
};

export function KindIcon({ kind }: { kind: ClipKind }): ReactNode {
  return icons[kind] ?? <CustomerServiceOutlined />;
}

/** The poster where there is one, else a sign of the kind. Posters are no viewing: see the API. */
export function ClipPicture({ clip }: { clip: Clip }): ReactNode {
  const { t } = useTranslation();
  const [missing, setMissing] = useState(false);
  const hasPoster = clip.playable === true && (clip.kind === "video" || clip.kind === "photo") && !missing;
  return (
    <span className="clip-picture">
      {hasPoster ? (
        <img src={`/api/v1/clips/${clip.id}/poster`} alt="" loading="lazy" onError={() => setMissing(true)} />
      ) : (
        <span className="clip-kind" title={t(`kind.${clip.kind}`)}>
          <KindIcon kind={clip.kind} />
        </span>
      )}
    </span>
  );
}
