import { FullscreenOutlined } from "@ant-design/icons";
import { Alert, Button, Spin } from "antd";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ClipDetail } from "../api/types.ts";
import { beganAtMs, momentIn } from "./moment.ts";
import { PlayerBar } from "./player-bar.tsx";
import { TimeLine } from "./time-line.tsx";
import { useMedia } from "./use-media.ts";

interface Given {
  readonly clip: ClipDetail;
  /** The server has noted that the clip is viewed. Before that everything is made ready, and nothing of it is asked for. */
  readonly noted: boolean;
  readonly watermark: ReactNode;
  /** What stands below the buttons. */
  readonly foot: ReactNode;
  readonly onShown: () => void;
  readonly onEnded: () => void;
}

/**
 * Plays the viewing copy. Its picture is never shown without the watermark, in full screen neither: the frame goes there,
 * and stays there when one clip of a recording follows the other.
 */
export function Player({ clip, noted, watermark, foot, onShown, onEnded }: Given): ReactNode {
  const { t } = useTranslation();
  const frame = useRef<HTMLElement>(null);
  const [speed, setSpeed] = useState(1);
  const toggleFullScreen = (): void => {
    if (document.fullscreenElement === null) void frame.current?.requestFullscreen();
    else void document.exitFullscreen();
  };
  return (
    <section className="sheet viewing player" ref={frame} aria-label={t("clip.viewing")}>
      <Playback key={clip.id} {...{ clip, noted, speed, setSpeed, watermark, onShown, onEnded }}>
        <Button
          type="text"
          aria-label={t("clip.fullscreen")}
          title={t("clip.fullscreen")}
          icon={<FullscreenOutlined />}
          onClick={toggleFullScreen}
        />
      </Playback>
      {foot}
    </section>
  );
}

interface PlaybackGiven {
  readonly clip: ClipDetail;
  readonly noted: boolean;
  readonly speed: number;
  readonly setSpeed: (speed: number) => void;
  readonly watermark: ReactNode;
  readonly onShown: () => void;
  readonly onEnded: () => void;
  readonly children: ReactNode;
}

/** One clip from its first frame to its last. */
function Playback({ clip, noted, speed, setSpeed, watermark, onShown, onEnded, children }: PlaybackGiven): ReactNode {
  const { t } = useTranslation();
  const [cited] = useState(() => new URLSearchParams(window.location.search).get("t"));
  const media = useMedia(frameRateOf(clip.mediaFacts), speed);
  const { video, atSeconds, lengthSeconds, shown } = media;
  const told = useRef(onShown);
  told.current = onShown;
  useEffect(() => {
    if (shown) told.current();
  }, [shown]);
  const began = beganAtMs(clip);
  useEffect(() => {
    if (cited === null || lengthSeconds === 0) return;
    const moment = momentIn(cited, { lengthSeconds, beganAtMs: began });
    if (moment !== undefined) media.seek(moment);
  }, [cited, lengthSeconds, began, media.seek]);
  const sound = clip.kind === "audio";
  const line = (
    <TimeLine clip={clip} onSeek={media.follow} beganAtMs={began} {...{ atSeconds, lengthSeconds, shown }} />
  );
  return (
    <>
      <div className={`picture-frame ${sound ? "sound" : ""}`}>
        <video
          ref={video}
          src={noted ? `/api/v1/clips/${clip.id}/playback` : undefined}
          // A moment that somebody cited is looked at, not passed by.
          autoPlay={cited === null}
          preload="auto"
          playsInline
          disablePictureInPicture
          onContextMenu={(event) => event.preventDefault()}
          onClick={media.toggle}
          onEnded={onEnded}
          {...media.events}
        />
        {sound && line}
        {!shown && !media.failed && <Spin className="picture-waiting" />}
        {watermark}
      </div>
      {media.failed && <Alert type="error" showIcon title={t("player.failed")} />}
      <div className="player-bar">
        {!sound && line}
        <PlayerBar clip={clip} media={media} beganAtMs={began} speed={speed} setSpeed={setSpeed}>
          {children}
        </PlayerBar>
      </div>
    </>
  );
}

/** Frames a second of the picture; 25 when that is not known. */
function frameRateOf(mediaFacts: unknown): number {
  const streams = (mediaFacts as { streams?: { type?: string; frameRate?: number }[] } | null)?.streams ?? [];
  const rate = streams.find(({ type }) => type === "video")?.frameRate;
  return rate !== undefined && rate > 0 ? rate : 25;
}
