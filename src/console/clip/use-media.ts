import { type ReactEventHandler, type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";

export interface Media {
  readonly video: RefObject<HTMLVideoElement>;
  readonly atSeconds: number;
  /** 0 until it is known. */
  readonly lengthSeconds: number;
  /** The first frame is there: until then everything else waits. */
  readonly shown: boolean;
  readonly playing: boolean;
  readonly failed: boolean;
  readonly toggle: () => void;
  readonly seek: (seconds: number) => void;
  readonly step: (seconds: number) => void;
  /** Pauses, and shows the frame before or after the one that is seen. */
  readonly stepFrame: (frames: 1 | -1) => void;
  /** Goes along with somebody who drags: while one frame is fetched no other is asked for. */
  readonly follow: (seconds: number, dragging: boolean) => void;
  readonly events: Readonly<Record<EventName, ReactEventHandler<HTMLVideoElement>>>;
}

type EventName =
  | ("onLoadedMetadata" | "onLoadedData" | "onTimeUpdate" | "onError")
  | ("onSeeking" | "onSeeked" | "onPlay" | "onPause");

/**
 * A frame is asked for a little after its beginning: times are counted in microseconds here and in parts of a second in
 * the file, and what is rounded down would be the frame before.
 */
const intoFrameSeconds = 0.0005;

/** What can be done with a video element, and where it is. */
export function useMedia(framesPerSecond: number, speed: number): Media {
  const video = useRef<HTMLVideoElement>(null);
  /** When the frame that is seen begins; undefined while another one is on its way. */
  const seen = useRef<number>(undefined);
  /** The same of the last one that came while the video was still seeking: the old one, or the one that was asked for. */
  const lately = useRef<number>(undefined);
  const [atSeconds, setAt] = useState(0);
  const [lengthSeconds, setLength] = useState(0);
  const [shown, setShown] = useState(false);
  const [playing, setPlaying] = useState(false);
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    const { current } = video;
    if (current === null) return;
    const look = (_: number, { mediaTime }: VideoFrameCallbackMetadata): void => {
      if (current.seeking) lately.current = mediaTime;
      else seen.current = mediaTime;
      handle = current.requestVideoFrameCallback(look);
    };
    let handle = current.requestVideoFrameCallback(look);
    return () => current.cancelVideoFrameCallback(handle);
  }, []);
  useEffect(() => {
    if (video.current === null) return;
    // Of the next media as well.
    video.current.defaultPlaybackRate = speed;
    video.current.playbackRate = speed;
  }, [speed]);

  const seek = useCallback((seconds: number): void => {
    const { current } = video;
    if (current === null || current.readyState === HTMLMediaElement.HAVE_NOTHING) return;
    seen.current = undefined;
    lately.current = undefined;
    current.currentTime = Math.min(Math.max(0, seconds), current.duration || 0);
    setAt(current.currentTime);
  }, []);
  return useMemo(() => {
    const step = (seconds: number): void => seek((video.current?.currentTime ?? 0) + seconds);
    return {
      ...{ video, atSeconds, lengthSeconds, shown, playing, failed, seek, step },
      stepFrame: (frames) => {
        const { current } = video;
        if (current === null) return;
        current.pause();
        // What is seen may lag behind the clock by a frame. While a frame is on its way, the one that was asked for counts.
        const from = seen.current === undefined ? current.currentTime : seen.current + intoFrameSeconds;
        seek(from + frames / framesPerSecond);
      },
      toggle: () => {
        const { current } = video;
        if (current === null) return;
        if (current.paused) void current.play().catch(() => setFailed(current.error !== null));
        else current.pause();
      },
      follow: (seconds, dragging) => {
        if (dragging && video.current?.seeking === true) setAt(seconds);
        else seek(seconds);
      },
      events: {
        onLoadedMetadata: ({ currentTarget }) => setLength(currentTarget.duration),
        onLoadedData: () => setShown(true),
        onTimeUpdate: ({ currentTarget }) => setAt(currentTarget.currentTime),
        onSeeking: ({ currentTarget }) => setAt(currentTarget.currentTime),
        // Often the frame is shown before the seeking is over, and no other follows that would tell.
        onSeeked: ({ currentTarget }) => {
          const settle = (): void => {
            if (!currentTarget.seeking) seen.current ??= lately.current;
          };
          requestAnimationFrame(() => requestAnimationFrame(settle));
        },
        onPlay: () => setPlaying(true),
        onPause: () => setPlaying(false),
        onError: () => setFailed(true),
      },
    } satisfies Media;
  }, [framesPerSecond, atSeconds, lengthSeconds, shown, playing, failed, seek]);
}
