import { type KeyboardEvent, type PointerEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ClipDetail } from "../api/types.ts";
import { momentText, timeOfDay } from "./moment.ts";
import { useWaveform, WaveformShape, waveformOf } from "./waveform.tsx";

interface Given {
  readonly clip: ClipDetail;
  readonly atSeconds: number;
  readonly lengthSeconds: number;
  /** The picture is there: now sound and small frames may be fetched too. */
  readonly shown: boolean;
  /** When the recording began, where that is known. */
  readonly beganAtMs: number | undefined;
  /** @param dragging another call follows. */
  readonly onSeek: (seconds: number, dragging: boolean) => void;
}

/** The whole recording from left to right, over its sound. What lies under the pointer is shown before one goes there. */
export function TimeLine({ clip, atSeconds, lengthSeconds, shown, beganAtMs, onSeek }: Given): ReactNode {
  const { t } = useTranslation();
  const [pointed, setPointed] = useState<number>();
  const [dragging, setDragging] = useState(false);
  const waveform = useWaveform(clip, shown);

  const fractionAt = (event: PointerEvent): number => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    return width === 0 ? 0 : Math.min(Math.max(0, (event.clientX - left) / width), 1);
  };
  const follow = (event: PointerEvent<HTMLDivElement>, isDragging: boolean): void => {
    const fraction = fractionAt(event);
    setPointed(fraction);
    if (dragging || isDragging) onSeek(fraction * lengthSeconds, isDragging);
  };
  const byKey = (event: KeyboardEvent): void => {
    const to = { Home: 0, End: lengthSeconds, PageUp: atSeconds + 30, PageDown: atSeconds - 30 }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    onSeek(to, false);
  };
  const percent = lengthSeconds > 0 ? (atSeconds / lengthSeconds) * 100 : 0;
  return (
    // No input of type range: its thumb keeps the ends away from the ends.
    <div
      className={`time-line ${waveformOf(clip) === undefined ? "" : "sounding"}`}
      role="slider"
      tabIndex={0}
      aria-label={t("clip.position")}
      aria-valuemin={0}
      aria-valuemax={Math.round(lengthSeconds)}
      aria-valuenow={Math.round(atSeconds)}
      aria-valuetext={momentText(atSeconds)}
      onKeyDown={byKey}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setDragging(true);
        follow(event, true);
      }}
      onPointerMove={(event) => follow(event, dragging)}
      onPointerUp={(event) => {
        follow(event, false);
        setDragging(false);
      }}
      onPointerCancel={() => {
        setDragging(false);
        setPointed(undefined);
      }}
      onPointerLeave={() => {
        if (!dragging) setPointed(undefined);
      }}
    >
      {waveform !== undefined && lengthSeconds > 0 && (
        <WaveformShape waveform={waveform} lengthSeconds={lengthSeconds} />
      )}
      <div className="time-line-past" style={{ width: `${percent}%` }} />
      {shown && <Preview {...{ clip, lengthSeconds, beganAtMs }} fraction={pointed} />}
    </div>
  );
}

/** The grid of a sprite as src/derive made it: tile n shows the moment n × `intervalSeconds`. */
interface Sprite {
  readonly columns: number;
  readonly rows: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly intervalSeconds: number;
}

/** The frame and the time under the pointer. It is in the page before it is seen, so that its picture is there when it is wanted. */
function Preview({
  clip,
  fraction,
  lengthSeconds,
  beganAtMs,
}: {
  clip: ClipDetail;
  fraction: number | undefined;
  lengthSeconds: number;
  beganAtMs: number | undefined;
}): ReactNode {
  const sprite = spriteOf(clip);
  const seconds = (fraction ?? 0) * lengthSeconds;
  const width = sprite?.tileWidth ?? 76;
  const half = width / 2 + 3;
  const tile = sprite && Math.min(Math.floor(seconds / sprite.intervalSeconds), sprite.columns * sprite.rows - 1);
  return (
    <div
      className="preview"
      data-shown={fraction !== undefined}
      data-tile={tile}
      style={{ left: `clamp(${half}px, ${(fraction ?? 0) * 100}%, calc(100% - ${half}px))` }}
    >
      {sprite !== undefined && tile !== undefined && (
        <div
          className="preview-picture"
          style={{
            width: sprite.tileWidth,
            height: sprite.tileHeight,
            backgroundImage: `url("/api/v1/clips/${clip.id}/sprite")`,
            backgroundPosition: `${-(tile % sprite.columns) * sprite.tileWidth}px ${-Math.floor(tile / sprite.columns) * sprite.tileHeight}px`,
          }}
        />
      )}
      <div className="preview-time">
        {momentText(seconds)}
        {beganAtMs !== undefined && <span> {timeOfDay(beganAtMs + seconds * 1000)}</span>}
      </div>
    </div>
  );
}

function spriteOf(clip: ClipDetail): Sprite | undefined {
  const facts = clip.derivatives.find(({ role }) => role === "sprite")?.facts as Partial<Sprite> | undefined;
  const { columns, rows, tileWidth, tileHeight, intervalSeconds } = facts ?? {};
  if (!columns || !rows || !tileWidth || !tileHeight || !intervalSeconds) return undefined;
  return { columns, rows, tileWidth, tileHeight, intervalSeconds };
}
