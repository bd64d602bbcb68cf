import { DownloadOutlined } from "@ant-design/icons";
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button, Empty } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { api, asked } from "../api/client.ts";
import type { ClipDetail } from "../api/types.ts";
import { useSignedIn } from "../session.ts";
import { isReason } from "../shared/clip-tags.tsx";
import { Player } from "./player.tsx";
import { PurposeGate } from "./purpose-gate.tsx";
import { neighboursOf, RecordingStrip, useRecording } from "./recording-strip.tsx";
import { Watermark } from "./watermark.tsx";

const shownByBrowsers: ReadonlySet<string> = new Set(["image/jpeg", "image/png", "image/webp", "image/gif"]);

/** What somebody said that they look for: at this clip, and at the others of its recording. */
interface Stated {
  readonly purpose: string;
  readonly clipId: string;
  readonly recordingId: string | null;
  /** Counts what was said, so that the same words after a failure are sent once more. */
  readonly time: number;
}

/** Has the server note a viewing, once for each time that a purpose was stated. */
const noting = (clipId: string, stated: Stated | undefined) =>
  queryOptions({
    queryKey: ["viewing", clipId, stated],
    queryFn: () =>
      asked(
        api.POST("/api/v1/clips/{id}/viewings", {
          params: { path: { id: clipId } },
          body: { purpose: stated?.purpose ?? "" },
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });

/**
 * Nothing of a recording is shown before somebody has said what for and the server has noted it. Said once, it holds for
 * all clips of one recording; each clip's viewing is noted by itself.
 */
export function Viewing({ clip, onViewed }: { clip: ClipDetail; onViewed: () => void }): ReactNode {
  const { t } = useTranslation();
  const session = useSignedIn();
  const client = useQueryClient();
  const [, go] = useLocation();
  const [stated, setStated] = useState<Stated>();
  const [goesOn, setGoesOn] = useState(true);
  const recording = useRecording(clip);
  const covered =
    stated !== undefined &&
    (stated.clipId === clip.id || (clip.recordingId !== null && clip.recordingId === stated.recordingId));
  const { data: viewing, error } = useQuery({ ...noting(clip.id, stated), enabled: covered });
  const noted = covered && viewing !== undefined;
  const playback = clip.derivatives.find(({ role }) => role === "playback");
  // The original: looking at a poster is no viewing for the log.
  const photo = clip.kind === "photo" && shownByBrowsers.has(clip.mediaType);
  const strip = recording !== undefined && (
    <RecordingStrip recording={recording} clipId={clip.id} goesOn={goesOn} onGoesOn={setGoesOn} />
  );
  if (playback === undefined && !photo && clip.playable === null) {
    return (
      <section className="sheet viewing viewing-none" aria-label={t("clip.viewing")}>
        <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t("clip.waitPlayback")} />
      </section>
    );
  }
  const unplayable = playback === undefined && !photo;
  // A player gets ready while the viewing is being noted.
  if (!covered || error !== null || (playback === undefined && !noted)) {
    return (
      <>
        <PurposeGate
          key={clip.id}
          head={unplayable && <NoPlayback clip={clip} />}
          pending={covered && error === null}
          error={error}
          before={stated?.purpose ?? ""}
          onPurpose={(purpose) => {
            const { id: clipId, recordingId } = clip;
            const now = { purpose, clipId, recordingId, time: (stated?.time ?? 0) + 1 };
            // The server notes it while the player is being put on the page.
            const told = client.prefetchQuery(noting(clipId, now));
            // Where a picture follows, what else the page shows waits for it.
            if (playback === undefined) void told.then(onViewed);
            setStated(now);
          }}
        />
        {strip}
      </>
    );
  }
  const foot = (
    <div className="viewing-foot">
      <span>
        {t("player.purposeIs", { purpose: stated.purpose })}
        <Button type="link" size="small" onClick={() => setStated(undefined)}>
          {t("player.changePurpose")}
        </Button>
      </span>
      {playback !== undefined && (
        <span className="quiet player-keys">{t(clip.kind === "audio" ? "player.keysOfSound" : "clip.keys")}</span>
      )}
    </div>
  );
  const who = `${session.displayName} · ${t(`role.${session.role}`)}`;
  const watermark = <Watermark lines={[who, session.organizationName, stated.purpose]} />;
  if (playback === undefined) {
    return (
      <>
        <section className="sheet viewing" aria-label={t("clip.viewing")}>
          {unplayable ? (
            <div className="viewing-none">
              <NoPlayback clip={clip}>
                <Button icon={<DownloadOutlined />} href={`/api/v1/clips/${clip.id}/original`} download={clip.fileName}>
                  {t("clip.download")}
                </Button>
              </NoPlayback>
            </div>
          ) : (
            <div className="picture-frame">
              <img src={`/api/v1/clips/${clip.id}/original`} alt={clip.fileName} onLoad={onViewed} />
              {watermark}
            </div>
          )}
          {foot}
        </section>
        {strip}
      </>
    );
  }
  const onEnded = (): void => {
    const { next } = neighboursOf(recording, clip.id);
    // In the place of this one: who goes back wants to go where they came from.
    if (goesOn && next !== undefined) go(`/clips/${next}`, { replace: true });
  };
  return (
    <>
      <Player {...{ clip, noted, watermark, foot, onEnded }} onShown={onViewed} />
      {strip}
    </>
  );
}

function NoPlayback({ clip, children }: { clip: ClipDetail; children?: ReactNode }): ReactNode {
  const { t } = useTranslation();
  const why = clip.unplayableReason ?? "";
  return (
    <Empty
      image={Empty.PRESENTED_IMAGE_SIMPLE}
      description={
        <>
          <div>
            {isReason(why) ? t("clip.noPlaybackBecause", { reason: t(`unplayable.${why}`) }) : t("clip.noPlayback")}
          </div>
          <div className="quiet">{t("clip.noPlaybackHint")}</div>
        </>
      }
    >
      {children}
    </Empty>
  );
}
