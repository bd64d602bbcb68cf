import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { outputPath, runSandboxed } from "#derive";
import { DocksealError } from "#kernel";
import type { ClipMetadata } from "#metadata";
import type { StationNumber } from "./demo-cast.ts";
import { type DemoRecording, demoRecordings, type Format } from "./demo-recordings.ts";
import { shotGraph } from "./demo-scenes.ts";
import { demoTimes, shanghaiClock } from "./demo-times.ts";

export interface DemoFile {
  /** Absolute path. */
  readonly file: string;
  readonly metadata: ClipMetadata;
  /** Number of the docking station that it comes from. */
  readonly station: StationNumber;
  /** The recorder lost power while it wrote this one: the index at the end is missing. */
  readonly cutOff: boolean;
}

const h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "27", "-g", "30", "-pix_fmt", "yuv420p"];
/** Encodings of what a camera sees and a microphone hears. */
const encodings: Readonly<Partial<Record<Format, readonly string[]>>> = {
  h264: [...h264, "-c:a", "aac", "-b:a", "48k"],
  "old-sound": [...h264, "-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"],
  hevc: ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-c:a", "aac"],
  avi: ["-c:v", "mpeg4", "-q:v", "5", "-c:a", "mp2", "-ar", "32000"],
  jpeg: ["-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "3", "-f", "image2"],
  wav: ["-c:a", "pcm_s16le"],
  m4a: ["-c:a", "aac", "-b:a", "48k"],
};

/** A voice-like sound: a hum with an overtone, in syllables; each speaks at another pitch. */
function voice(variant: number): string {
  const pitch = 740 + variant * 70;
  return `aevalsrc=exprs=(0.35*sin(${pitch}*t)+0.15*sin(${pitch * 3}*t))*(0.55+0.45*sin(22*t))*gt(sin(2.1*t)\\,-0.6):sample_rate=16000`;
}

/** Beside the recordings: the moment from which they are seen. Made again later, they are the same. */
const momentName = "demo.json";

/**
 * Makes some short recordings in a directory, as of two days before now, with what a docking station would say about
 * each; those that were made there before stay. Where ffmpeg has no H.265 encoder, that recording is left out.
 * @param options `all`: or only as many as show the whole way once.
 * @returns them, and the moment from which their times are seen.
 * @throws DocksealError `media-tool-failed` with ffmpeg's complaint; an error of the file system.
 */
export async function makeDemoMedia(
  dir: string,
  options: { nowMs: number; all: boolean; sandbox?: "require" | "limits"; signal?: AbortSignal },
): Promise<{ files: DemoFile[]; nowMs: number }> {
  await mkdir(dir, { recursive: true });
  const { all, sandbox = "limits", signal = new AbortController().signal } = options;
  const nowMs = await momentOf(join(dir, momentName), options.nowMs);
  const waiting = demoRecordings(demoTimes(nowMs), all).map((recording, index) => ({ recording, index }));
  const made: { index: number; file: DemoFile }[] = [];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const file = await makeOne(next.recording, dir, sandbox, signal);
      if (file !== undefined) made.push({ index: next.index, file });
    }
  };
  await Promise.all([worker(), worker()]);
  return { files: made.sort((a, b) => a.index - b.index).map(({ file }) => file), nowMs };
}

async function momentOf(path: string, nowMs: number): Promise<number> {
  try {
    return (JSON.parse(await readFile(path, "utf8")) as { nowMs: number }).nowMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    await writeFile(path, JSON.stringify({ nowMs }));
    return nowMs;
  }
}

/** @returns undefined when ffmpeg was built without the encoder. */
async function makeOne(
  recording: DemoRecording,
  dir: string,
  sandbox: "require" | "limits",
  signal: AbortSignal,
): Promise<DemoFile | undefined> {
  const { name, format, unreadableBytes } = recording;
  const file = join(dir, name);
  if (!existsSync(file)) {
    const partial = join(dir, `.making-${name}`);
    if (format === "text") await writeFile(partial, inquiry(recording));
    else if (format === "track") await writeFile(partial, track(recording));
    else if (!(await record(recording, dir, sandbox, signal))) return undefined;
    const { size } = await stat(partial);
    if (recording.cutOff) await truncate(partial, Math.floor(size / 2));
    if (unreadableBytes > 0) await blank(partial, holeIn(size, unreadableBytes));
    // Under its own name only when it is whole: someone may be watching the directory.
    await rename(partial, file);
  }
  const { size } = await stat(file);
  const holes = unreadableBytes > 0 ? { unreadableRanges: [holeIn(size, unreadableBytes)] } : {};
  const metadata = { ...recording.metadata, ...holes, sizeBytes: size };
  return { file, metadata, station: recording.station, cutOff: recording.cutOff };
}

const holeIn = (size: number, length: number) => ({ offset: Math.floor(size / 2), length });

/** What a station sends in place of bytes that the card does not give: zeros. */
async function blank(path: string, { offset, length }: { offset: number; length: number }): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.write(Buffer.alloc(length), 0, length, offset);
  } finally {
    await file.close();
  }
}

/** @returns false when ffmpeg was built without the encoder. */
async function record(
  recording: DemoRecording,
  dir: string,
  sandbox: "require" | "limits",
  signal: AbortSignal,
): Promise<boolean> {
  const { name, format, seconds = 1, variant, metadata } = recording;
  const hasPicture = metadata.kind !== "audio";
  const shot = {
    ...recording,
    place: metadata.place?.text ?? "",
    caption: `${format === "jpeg" ? "PHOTO" : "REC"} ${recording.caption}`,
  };
  const run = await runSandboxed({
    tool: "ffmpeg",
    args: [
      ...["-hide_banner", "-nostdin", "-v", "error", "-y"],
      ...(hasPicture ? ["-f", "lavfi", "-i", shotGraph(shot)] : []),
      ...(format === "jpeg" ? [] : ["-f", "lavfi", "-i", voice(variant)]),
      ...["-t", String(seconds), "-threads", "1", ...(encodings[format] ?? []), outputPath(`.making-${name}`)],
    ],
    readOnly: [],
    writableDir: dir,
    limits: { cpuSeconds: 240, memoryBytes: 4 * 1024 ** 3, fileBytes: 256 * 1024 ** 2, wallSeconds: 120 },
    sandbox,
    signal,
  });
  if (run.exitCode === 0) return true;
  if (run.stderrTail.includes("Unknown encoder 'libx265'")) return false;
  throw new DocksealError("media-tool-failed", { detail: run.stderrTail.trimEnd().split("\n").at(-1) ?? "" });
}

function inquiry({ metadata, shownSeconds }: DemoRecording): string {
  const at = shanghaiClock((shownSeconds - 8 * 3600) * 1000).slice(0, 16);
  return `询 问 笔 录

时间：${at} 起
地点：${metadata.place?.text}
询问人：${metadata.collectorNumber}（执法证号）  记录人：000456
被询问人：（当事人，身份已核对）

问：我们是朱堂乡综合行政执法队执法人员，这是我们的执法证件，请你确认。
答：看清楚了。
问：你在市场东门外摆放货架经营，是否办理了占道许可？
答：没有办理。我马上收回店内。
问：以上记录请你核对，是否与你所说一致？
答：一致。

（以下空白）
`;
}

/** Where the recorder was, a point every ten seconds (GPX 1.1). */
function track({ metadata, shownSeconds }: DemoRecording): string {
  const { lat = 0, lon = 0 } = metadata.place ?? {};
  const points = Array.from({ length: 24 }, (_, n) => {
    const time = new Date((shownSeconds - 8 * 3600 - (24 - n) * 10) * 1000).toISOString();
    return `   <trkpt lat="${(lat + n * 0.00004).toFixed(6)}" lon="${(lon - n * 0.00006).toFixed(6)}"><time>${time}</time></trkpt>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<gpx version="1.1" creator="DCAM" xmlns="http://www.topografix.com/GPX/1/1">',
    " <trk><trkseg>",
    ...points,
    " </trkseg></trk>",
    "</gpx>",
    "",
  ].join("\n");
}
