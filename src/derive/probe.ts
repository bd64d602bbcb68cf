import { open } from "node:fs/promises";
import { type Container, type FileKind, kindOf, magicBytes } from "#ingest";
import { type CaptureTime, captureTimesIn } from "./capture-time.ts";
import { inputPath } from "./confine.ts";
import { guardedInput } from "./ffmpeg-command.ts";
import { runSandboxed } from "./sandbox.ts";
import { limitsOf, type MediaSettings } from "./settings.ts";
import { structureOf } from "./structure.ts";
import { faultOf } from "./tool-fault.ts";

export interface StreamFacts {
  readonly index: number;
  readonly type: "video" | "audio" | "subtitle" | "data" | "attachment";
  /** ffmpeg's name, e.g. `h264`; `unknown` when it has none. */
  readonly codec: string;
  readonly profile?: string;
  /** H.264 and HEVC: the level as the stream writes it, 51 = 5.1 in H.264. */
  readonly level?: number;
  readonly pixelFormat?: string;
  readonly width?: number;
  readonly height?: number;
  /** Frames a second on average. */
  readonly frameRate?: number;
  /** Degrees clockwise by which a player turns the picture; absent: none. */
  readonly rotation?: number;
  readonly channels?: number;
  readonly sampleRate?: number;
  readonly bitRate?: number;
  readonly durationSeconds?: number;
  /** How many packets the container says there are. */
  readonly packets?: number;
  /** A cover picture, not a recording. */
  readonly isPicture?: true;
}

/** What a recording says of itself; nothing in it has been proven. It can be stored as JSON as it is. */
export interface MediaFacts {
  readonly container: Container;
  readonly durationSeconds?: number;
  /** Bits a second, all streams. */
  readonly bitRate?: number;
  readonly streams: readonly StreamFacts[];
  /** The container's tags, at most 100, each cut at 1,000 characters. They may hold a location. */
  readonly tags: Readonly<Record<string, string>>;
  readonly captureTimes: readonly CaptureTime[];
}

/** Why a file has no playable copy. It is evidence all the same. */
export type UnplayableReason =
  | "empty"
  | "not-media"
  | "unsupported-format"
  | "no-moov"
  | "no-stream"
  | "codec-not-allowed"
  | "decode-failed";

export interface Probe extends FileKind {
  readonly sizeBytes: number;
  /** Absent when nothing could be read; `reason` then says why. */
  readonly facts?: MediaFacts;
  readonly reason?: UnplayableReason;
  /** A code, and after a colon what exactly: those of structure.ts, and `probe: …`. */
  readonly defects: readonly string[];
}

export interface ProbeOptions {
  /** As the upload named it; it never reaches a command line. */
  readonly fileName: string;
  readonly settings: MediaSettings;
  readonly signal: AbortSignal;
}

/** A hostile file can make ffprobe say megabytes. */
const maxDescriptionBytes = 2 * 1024 * 1024;
const probeWallSeconds = 120;

/**
 * Says what a file is: from its first bytes, its outer structure, and, for a known container, ffprobe in the sandbox.
 * @throws DocksealError `sandbox-unavailable`, `media-tool-failed`; the reason of `signal`; an error of the file system.
 */
export async function probeMedia(path: string, options: ProbeOptions): Promise<Probe> {
  const kind = await kindOf(await headOf(path), options.fileName);
  const { sizeBytes, defects } = await structureOf(path, kind.container);
  const seen = { ...kind, sizeBytes, defects };
  const { container } = kind;
  if (sizeBytes === 0) return { ...seen, reason: "empty" };
  if (container === undefined) {
    const isMedia = kind.kind === "video" || kind.kind === "audio" || kind.kind === "photo";
    return { ...seen, reason: isMedia ? "unsupported-format" : "not-media" };
  }
  // Without its index nothing in the file can be found; no need to have a decoder try.
  if (defects.includes("no-moov")) return { ...seen, reason: "no-moov" };

  const photo = kind.kind === "photo" ? ["-show_frames", "-read_intervals", "%+#1"] : [];
  const run = await runSandboxed({
    tool: "ffprobe",
    args: [
      ...["-hide_banner", "-v", "error", "-threads", String(options.settings.threads)],
      ...guardedInput(container),
      ...["-show_format", "-show_streams", ...photo, "-of", "json", inputPath()],
    ],
    readOnly: [path],
    limits: limitsOf(options.settings, probeWallSeconds),
    sandbox: options.settings.sandbox,
    signal: options.signal,
    stdoutMaxBytes: maxDescriptionBytes,
    ...(options.settings.programs && { programs: options.settings.programs }),
  });
  const fault = faultOf("ffprobe", run);
  if (fault !== undefined) {
    const refused = /Codec \((\w+)\) not on whitelist/.exec(run.stderrTail)?.[1];
    if (refused !== undefined) {
      return { ...seen, reason: "codec-not-allowed", defects: [...defects, `codec-not-allowed: ${refused}`] };
    }
    return { ...seen, reason: "decode-failed", defects: [...defects, `probe: ${fault}`] };
  }
  const facts = factsFrom(JSON.parse(run.stdout.toString("utf8")) as Description, container);
  const streams = facts.streams.filter((stream) => stream.type === "video" || stream.type === "audio");
  if (streams.length === 0) return { ...seen, facts, reason: "no-stream" };
  const hasVideo = streams.some((stream) => stream.type === "video" && stream.isPicture !== true);
  return { ...seen, kind: kind.kind === "video" && !hasVideo ? "audio" : kind.kind, facts };
}

/** What ffprobe writes (`-of json`), as far as it is read here. Numbers of 64 bits and fractions are strings. */
interface Description {
  readonly format?: { duration?: string; bit_rate?: string; tags?: Record<string, string> };
  readonly streams?: readonly StreamDescription[];
  readonly frames?: readonly { tags?: Record<string, string> }[];
}
interface StreamDescription {
  readonly index: number;
  readonly codec_type?: string;
  readonly codec_name?: string;
  readonly profile?: string;
  readonly level?: number;
  readonly pix_fmt?: string;
  readonly width?: number;
  readonly height?: number;
  readonly avg_frame_rate?: string;
  readonly channels?: number;
  readonly sample_rate?: string;
  readonly bit_rate?: string;
  readonly duration?: string;
  readonly nb_frames?: string;
  readonly disposition?: { attached_pic?: number };
  readonly tags?: Record<string, string>;
  readonly side_data_list?: readonly { rotation?: number }[];
}

/** Facts from ffprobe's description; exported for its test. */
export function factsFrom(description: Description, container: Container): MediaFacts {
  const tags = bounded(description.format?.tags);
  const streams = description.streams ?? [];
  return defined({
    container,
    durationSeconds: positive(description.format?.duration),
    bitRate: positive(description.format?.bit_rate),
    streams: streams.map(streamFacts),
    tags,
    captureTimes: [
      ...captureTimesIn(tags, { container, kind: "format" }),
      ...streams.flatMap((stream) =>
        captureTimesIn(bounded(stream.tags), { container, kind: "stream", index: stream.index }),
      ),
      ...captureTimesIn(bounded(description.frames?.[0]?.tags), { container, kind: "exif" }),
    ],
  });
}

function streamFacts(stream: StreamDescription): StreamFacts {
  const type = (["video", "audio", "subtitle", "attachment"] as const).find((name) => name === stream.codec_type);
  const [frames, seconds] = (stream.avg_frame_rate ?? "").split("/").map(Number);
  const counterclockwise = stream.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? 0;
  const rotation = ((-counterclockwise % 360) + 360) % 360 || undefined;
  return defined({
    index: stream.index,
    type: type ?? "data",
    codec: stream.codec_name ?? "unknown",
    profile: stream.profile,
    level: stream.level !== undefined && stream.level > 0 ? stream.level : undefined,
    pixelFormat: stream.pix_fmt,
    width: positive(stream.width),
    height: positive(stream.height),
    frameRate: frames && seconds ? Math.round((frames / seconds) * 1000) / 1000 : undefined,
    rotation,
    channels: positive(stream.channels),
    sampleRate: positive(stream.sample_rate),
    bitRate: positive(stream.bit_rate),
    durationSeconds: positive(stream.duration),
    packets: positive(stream.nb_frames),
    isPicture: stream.disposition?.attached_pic === 1 ? (true as const) : undefined,
  });
}

function positive(value: string | number | undefined): number | undefined {
  const number = Number(value);
  return Number.isFinite(number) && number > 0 ? number : undefined;
}

/** A file's own text, kept short, and without NUL, which PostgreSQL's jsonb refuses. */
function bounded(tags: Record<string, string> = {}): Record<string, string> {
  const clean = (text: string) => text.replaceAll("\0", "\ufffd").slice(0, 1000).toWellFormed();
  return Object.fromEntries(
    Object.entries(tags)
      .slice(0, 100)
      .map(([name, value]) => [clean(name), clean(String(value))]),
  );
}

/** Without the members that are undefined. */
function defined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(magicBytes), 0, magicBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
