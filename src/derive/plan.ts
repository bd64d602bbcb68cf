import type { Container } from "#ingest";
import { inputPath, outputPath } from "./confine.ts";
import { type Command, guardedInput } from "./ffmpeg-command.ts";
import type { MediaFacts, StreamFacts } from "./probe.ts";

/** How the viewing copy is made. Every track that can be heard is kept; other tracks stay in the original. */
export interface PlaybackPlan {
  /** `repackage`: nothing is encoded again. `encode-audio`: the picture is copied. `transcode`: the picture is not. */
  readonly action: "repackage" | "encode-audio" | "transcode";
  readonly video?: { readonly stream: StreamFacts; readonly copy: boolean };
  readonly audio: readonly { readonly stream: StreamFacts; readonly copy: boolean }[];
}

/** A grid of small pictures, evenly spaced in time from 0 on, left to right, then down. */
export interface SpriteGrid {
  readonly columns: number;
  readonly rows: number;
  readonly tileWidth: number;
  readonly intervalSeconds: number;
}

export const waveformSampleRate = 8000;

const playableProfiles: ReadonlySet<string> = new Set(["Baseline", "Constrained Baseline", "Main", "High"]);
const playablePixels: ReadonlySet<string> = new Set(["yuv420p", "yuvj420p"]);
const playableAac: ReadonlySet<string> = new Set(["LC", "HE-AAC", "HE-AACv2"]);
/** These do not carry a time for each frame, or not a sound one. */
const timeless: ReadonlySet<Container> = new Set<Container>(["avi", "mpeg", "mpegts", "dhav"]);
const mostTiles = 100;
const widestPoster = 1280;
/** Above this length a sprite strip is made of key frames alone, which is many times faster. */
const keyFramesOnlySeconds = 120;

/**
 * What must be done so that any browser plays it: H.264 of 8 bits and 4:2:0 up to level 5.1, and AAC. What is so
 * already is copied, never encoded again. Undefined when there is neither picture nor sound.
 */
export function planPlayback(facts: MediaFacts): PlaybackPlan | undefined {
  const picture = facts.streams.find((stream) => stream.type === "video" && stream.isPicture !== true);
  const audio = facts.streams
    .filter((stream) => stream.type === "audio")
    .map((stream) => ({ stream, copy: stream.codec === "aac" && playableAac.has(stream.profile ?? "") }));
  if (picture === undefined && audio.length === 0) return undefined;
  const video = picture && { stream: picture, copy: isPlayable(picture) };
  const audioFits = audio.every(({ copy }) => copy);
  const action = video?.copy === false ? "transcode" : audioFits ? "repackage" : "encode-audio";
  return { action, audio, ...(video && { video }) };
}

/** The same with every stream encoded again: for a file whose streams, though of the right kind, cannot be copied. */
export function withoutCopying(plan: PlaybackPlan): PlaybackPlan {
  const audio = plan.audio.map(({ stream }) => ({ stream, copy: false }));
  return { action: "transcode", audio, ...(plan.video && { video: { stream: plan.video.stream, copy: false } }) };
}

function isPlayable(stream: StreamFacts): boolean {
  return (
    stream.codec === "h264" &&
    playableProfiles.has(stream.profile ?? "") &&
    playablePixels.has(stream.pixelFormat ?? "") &&
    (stream.level ?? Number.POSITIVE_INFINITY) <= 51
  );
}

/** `playback.mp4`, or `playback.m4a` when there is no picture: the index comes first, so that it plays at once. */
export function playbackCommand(plan: PlaybackPlan, container: Container, threads: number): Command {
  const { video, audio } = plan;
  const options = [video, ...audio].flatMap((part) => (part ? ["-map", `0:${part.stream.index}`] : []));
  // A viewing copy carries no tags: a location stays with the original and with the facts.
  options.push("-map_metadata", "-1", "-map_chapters", "-1");
  if (video?.copy) options.push("-c:v", "copy");
  else if (video) {
    options.push("-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-profile:v", "high", "-pix_fmt", "yuv420p");
    // Frames keep their own times where the container has times, so that a moment is the same moment in both copies.
    options.push("-fps_mode", timeless.has(container) ? "vfr" : "passthrough");
  }
  audio.forEach(({ stream, copy }, n) => {
    if (copy) options.push(`-c:a:${n}`, "copy");
    else options.push(`-c:a:${n}`, "aac", `-b:a:${n}`, "128k", `-ac:a:${n}`, String(Math.min(stream.channels ?? 1, 2)));
  });
  options.push("-threads", String(threads), "-max_muxing_queue_size", "4096", "-movflags", "+faststart", "-f", "mp4");
  const { width = 0, height = 0 } = video?.stream ?? {};
  const isOdd = width % 2 === 1 || height % 2 === 1;
  return {
    input: inputPath(),
    inputOptions: [
      ...(timeless.has(container) ? ["-fflags", "+genpts"] : []),
      ...["-threads", String(threads)],
      ...guardedInput(container),
    ],
    // 4:2:0 wants even sides; a line is added rather than one cut off.
    ...(video?.copy === false && isOdd && { videoFilters: ["pad=ceil(iw/2)*2:ceil(ih/2)*2"] }),
    outputOptions: options,
    output: outputPath(video ? "playback.mp4" : "playback.m4a"),
  };
}

/** Decodes everything and stops at the first thing that is not as the standards want it. */
export function strictCommand(container: Container, threads: number): Command {
  return {
    input: inputPath(),
    inputOptions: ["-xerror", "-err_detect", "explode", "-threads", String(threads), ...guardedInput(container)],
    outputOptions: ["-map", "0:v?", "-map", "0:a?", "-f", "null"],
    output: "-",
  };
}

/** `poster.jpg`: the picture at `atSeconds`, with square pixels, upright. */
export function posterCommand(stream: StreamFacts, container: Container, atSeconds: number): Command {
  return {
    input: inputPath(),
    inputOptions: [
      ...(atSeconds > 0 ? ["-ss", atSeconds.toFixed(3)] : []),
      ...["-threads", "1"],
      ...guardedInput(container),
    ],
    videoFilters: [fitWidth(`min(${widestPoster}\\,max(2\\,trunc(iw*sar/2)*2))`), "setsar=1"],
    outputOptions: ["-map", `0:${stream.index}`, ...jpeg],
    output: outputPath("poster.jpg"),
  };
}

/** `playback.jpg`: a photo that browsers do not show, in full size. */
export function photoCommand(stream: StreamFacts, container: Container): Command {
  return {
    input: inputPath(),
    inputOptions: ["-threads", "1", ...guardedInput(container)],
    outputOptions: ["-map", `0:${stream.index}`, ...jpeg],
    output: outputPath("playback.jpg"),
  };
}

export function spriteGrid(durationSeconds: number): SpriteGrid {
  const intervalSeconds = Math.max(1, Math.ceil((durationSeconds / mostTiles) * 1000) / 1000);
  const tiles = Math.min(mostTiles, Math.max(1, Math.ceil(durationSeconds / intervalSeconds)));
  const columns = Math.min(10, tiles);
  return { columns, rows: Math.ceil(tiles / columns), tileWidth: 160, intervalSeconds };
}

/** `sprite.jpg`: tile n shows what was to be seen at n × interval; in a long recording, the key frame before it. */
export function spriteCommand(
  stream: StreamFacts,
  container: Container,
  grid: SpriteGrid,
  durationSeconds: number,
): Command {
  return {
    input: inputPath(),
    inputOptions: [
      ...(durationSeconds > keyFramesOnlySeconds ? ["-skip_frame", "nokey"] : []),
      ...["-threads", "1"],
      ...guardedInput(container),
    ],
    videoFilters: [
      `fps=fps=1000/${Math.round(grid.intervalSeconds * 1000)}:round=up`,
      // The last picture stays until the grid is full, where the last key frame is long before the end.
      `tpad=stop_mode=clone:stop=${mostTiles}`,
      fitWidth(String(grid.tileWidth)),
      "setsar=1",
      `tile=${grid.columns}x${grid.rows}`,
    ],
    outputOptions: ["-map", `0:${stream.index}`, ...jpeg],
    output: outputPath("sprite.jpg"),
  };
}

/** Samples of the sound to standard output: one channel, 16 bits signed, little-endian. */
export function waveformCommand(stream: StreamFacts, container: Container): Command {
  return {
    input: inputPath(),
    inputOptions: ["-threads", "1", ...guardedInput(container)],
    outputOptions: ["-map", `0:${stream.index}`, "-ac", "1", "-ar", String(waveformSampleRate), "-f", "s16le"],
    output: "pipe:1",
  };
}

const jpeg = ["-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "4", "-update", "1", "-f", "image2"];

/** Scales to a width; the height follows from the shape of the picture as it is shown, not as it is stored. */
function fitWidth(width: string): string {
  return `scale=w=${width}:h=max(2\\,trunc(ow/dar/2)*2)`;
}
