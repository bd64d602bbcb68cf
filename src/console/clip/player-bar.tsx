import {
  BackwardOutlined,
  CaretRightFilled,
  ForwardOutlined,
  LinkOutlined,
  PauseOutlined,
  StepBackwardOutlined,
  StepForwardOutlined,
} from "@ant-design/icons";
import { App as AntApp, Button, Input, Select } from "antd";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import type { ClipDetail } from "../api/types.ts";
import { momentIn, momentOfLink, momentText, timeOfDay } from "./moment.ts";
import type { Media } from "./use-media.ts";

const speeds: readonly number[] = [0.25, 0.5, 1, 1.5, 2, 4, 8];

interface Given {
  readonly clip: ClipDetail;
  readonly media: Media;
  readonly beganAtMs: number | undefined;
  readonly speed: number;
  readonly setSpeed: (speed: number) => void;
  readonly children: ReactNode;
}

/** Buttons of the player, and the keys that do the same. */
export function PlayerBar({ clip, media, beganAtMs, speed, setSpeed, children }: Given): ReactNode {
  const { t } = useTranslation();
  const { atSeconds, lengthSeconds, playing, toggle, step, stepFrame } = media;
  const changeSpeed = (by: 1 | -1): void => {
    const index = speeds.indexOf(speed) + by;
    setSpeed(speeds[Math.min(Math.max(index, 0), speeds.length - 1)] ?? 1);
  };
  useKeys({
    " ": toggle,
    ArrowLeft: () => step(-5),
    ArrowRight: () => step(5),
    ",": () => stepFrame(-1),
    ".": () => stepFrame(1),
    "-": () => changeSpeed(-1),
    "+": () => changeSpeed(1),
    "=": () => changeSpeed(1),
  });
  const button = (label: string, icon: ReactNode, act: () => void): ReactNode => (
    <Button type="text" aria-label={label} title={label} icon={icon} onClick={act} />
  );
  return (
    <div className="player-buttons">
      {button(playing ? t("clip.pause") : t("clip.play"), playing ? <PauseOutlined /> : <CaretRightFilled />, toggle)}
      {button(t("clip.back5"), <BackwardOutlined />, () => step(-5))}
      {button(t("clip.forward5"), <ForwardOutlined />, () => step(5))}
      {clip.kind !== "audio" && (
        <>
          {button(t("clip.frameBack"), <StepBackwardOutlined />, () => stepFrame(-1))}
          {button(t("clip.frameForward"), <StepForwardOutlined />, () => stepFrame(1))}
        </>
      )}
      <span className="player-time">
        <b>{momentText(atSeconds)}</b> / {momentText(lengthSeconds)}
        {beganAtMs !== undefined && (
          <span className="quiet" title={t("player.clockHint")}>
            {timeOfDay(beganAtMs + atSeconds * 1000)}
          </span>
        )}
      </span>
      <span className="player-end">
        <Jump media={media} beganAtMs={beganAtMs} />
        <Cite clipId={clip.id} media={media} />
        <Select
          size="small"
          aria-label={t("clip.speed")}
          value={speed}
          getPopupContainer={onTop}
          options={speeds.map((value) => ({ value, label: `${value}×` }))}
          onChange={setSpeed}
        />
        {children}
      </span>
    </div>
  );
}

/** In full screen nothing is seen but what is in the frame that fills it. */
function onTop(): HTMLElement {
  const { fullscreenElement } = document;
  return fullscreenElement instanceof HTMLElement ? fullscreenElement : document.body;
}

/** Goes to the time that somebody writes. */
function Jump({ media, beganAtMs }: { media: Media; beganAtMs: number | undefined }): ReactNode {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState(false);
  const hint = beganAtMs === undefined ? t("player.jumpHint") : t("player.jumpHintClock");
  return (
    <form
      className="player-jump"
      onSubmit={(event) => {
        event.preventDefault();
        const moment = momentIn(text, { lengthSeconds: media.lengthSeconds, beganAtMs });
        setWrong(moment === undefined);
        if (moment === undefined) return;
        media.seek(moment);
        setText("");
        // The keys are the player's again.
        event.currentTarget.querySelector("input")?.blur();
      }}
    >
      <Input
        size="small"
        aria-label={t("player.jump")}
        aria-invalid={wrong}
        title={hint}
        placeholder={t("player.jump")}
        maxLength={20}
        value={text}
        {...(wrong && { status: "error" })}
        onChange={({ target }) => {
          setText(target.value);
          setWrong(false);
        }}
      />
      {wrong && (
        <span className="player-jump-wrong" role="alert">
          {t("player.jumpWrong")} {hint}
        </span>
      )}
    </form>
  );
}

/** Puts the moment into the address, and the address where it can be pasted from. */
function Cite({ clipId, media }: { clipId: string; media: Media }): ReactNode {
  const { t } = useTranslation();
  const { message } = AntApp.useApp();
  const [, go] = useLocation();
  const cite = async (): Promise<void> => {
    media.video.current?.pause();
    go(`/clips/${clipId}?t=${momentOfLink(media.video.current?.currentTime ?? 0)}`, { replace: true });
    try {
      // Without TLS browsers let nobody copy: then there is the address.
      await navigator.clipboard.writeText(window.location.href);
      void message.success(t("player.citedCopied"));
    } catch {
      void message.success(t("player.cited"));
    }
  };
  const label = t("player.cite");
  return <Button type="text" aria-label={label} title={label} icon={<LinkOutlined />} onClick={() => void cite()} />;
}

function useKeys(byKey: Readonly<Record<string, () => void>>): void {
  const keys = useRef(byKey);
  keys.current = byKey;
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const act = keys.current[event.key];
      if (act === undefined || event.ctrlKey || event.altKey || event.metaKey || hasKeysOfItsOwn(event)) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}

/** Where somebody types or presses a button, keys mean what they always mean. */
function hasKeysOfItsOwn({ target }: KeyboardEvent): boolean {
  return target instanceof Element && target.closest("input, textarea, button, a, summary, [role=dialog]") !== null;
}
