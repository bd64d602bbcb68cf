import { existsSync } from "node:fs";
import { mkdir, rename, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { outputPath, runSandboxed } from "#derive";
import type { ClipMetadata } from "#ingest";
import { DocksealError } from "#kernel";

export interface DemoFile {
  /** Absolute path. */
  readonly file: string;
  readonly metadata: ClipMetadata;
}

const font = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf";
const encoderX264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
/** A voice-like sound: a hum of 140 Hz with an overtone, in syllables. */
const voice =
  "aevalsrc=exprs=(0.35*sin(880*t)+0.15*sin(2640*t))*(0.55+0.45*sin(22*t))*gt(sin(2.1*t)\\,-0.6):sample_rate=16000";

interface Recording {
  readonly name: string;
  readonly capturedAt: string;
  readonly kind: NonNullable<ClipMetadata["kind"]>;
  readonly seconds?: number;
  /** Encoding of what the camera saw and the microphone heard; absent for what ffmpeg does not make. */
  readonly encoding?: readonly string[];
  /** Text in the picture, plain ASCII. */
  readonly overlay?: string;
  readonly metadata: Partial<ClipMetadata>;
}

const market = { text: "罗山县朱堂乡农贸市场东门", lat: 32.1296, lon: 114.3127 };
const plant = { text: "长治市潞州区某建材厂排污口", lat: 36.1953, lon: 113.1163 };
const marketCase = (stage: string, evidencePurpose: string) =>
  ({ caseNumber: "朱综执立〔2026〕017号", stage, evidencePurpose, place: market }) as const;

/** One morning of two recorders, as stations really get it: new and old formats, a photo, a text, a file cut off. */
const recordings: readonly Recording[] = [
  {
    name: "DCAM_01_000123_20261121_093000.mp4",
    capturedAt: "2026-11-21 09:30:00",
    kind: "video",
    seconds: 8,
    encoding: [...encoderX264, "-c:a", "aac"],
    overlay: "REC 000123 CAM01",
    metadata: marketCase("现场检查", "证明当事人占道经营的现场情况"),
  },
  {
    name: "DCAM_01_000123_20261121_093510.jpg",
    capturedAt: "2026-11-21 09:35:10",
    kind: "photo",
    encoding: ["-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "3", "-f", "image2"],
    overlay: "PHOTO 000123 CAM01",
    metadata: marketCase("证据保全", "证明被查封扣押物品的数量和外观"),
  },
  {
    name: "DCAM_01_000123_20261121_094000.wav",
    capturedAt: "2026-11-21 09:40:00",
    kind: "audio",
    seconds: 6,
    encoding: ["-c:a", "pcm_s16le"],
    metadata: marketCase("调查取证", "证明当事人陈述的内容和询问程序合法"),
  },
  {
    name: "XWBL_000123_20261121_095500.txt",
    capturedAt: "2026-11-21 09:55:00",
    kind: "text",
    metadata: marketCase("调查取证", "证明当事人承认占道经营的事实"),
  },
  {
    name: "DCAM_02_000456_20261121_101500.mov",
    capturedAt: "2026-11-21 10:15:00",
    kind: "video",
    seconds: 6,
    encoding: [...encoderX264, "-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"],
    overlay: "REC 000456 CAM02",
    metadata: { place: plant, important: true },
  },
  {
    name: "DCAM_02_000456_20261121_102500.mp4",
    capturedAt: "2026-11-21 10:25:00",
    kind: "video",
    seconds: 5,
    encoding: ["-c:v", "libx265", "-preset", "veryfast", "-x265-params", "log-level=error", "-c:a", "aac"],
    overlay: "REC 000456 CAM02 HEVC",
    metadata: { place: plant },
  },
  {
    name: "MOVI0007.avi",
    capturedAt: "2026-11-21 10:40:00",
    kind: "video",
    seconds: 5,
    encoding: ["-c:v", "mpeg4", "-q:v", "5", "-c:a", "mp2", "-ar", "32000"],
    overlay: "REC 000456 MOVI0007",
    metadata: { place: plant, sequence: 7 },
  },
  {
    name: "DCAM_02_000456_20261121_104800.mp4",
    capturedAt: "2026-11-21 10:48:00",
    kind: "video",
    seconds: 4,
    encoding: [...encoderX264, "-c:a", "aac"],
    overlay: "REC 000456 CAM02",
    metadata: { place: plant, interruptionReason: "电池耗尽" },
  },
];
/** The recorder lost power while it wrote this one: the index at the end was never written. */
const cutOff = "DCAM_02_000456_20261121_104800.mp4";

const inquiry = `询 问 笔 录

时间：2026年11月21日09时40分至09时55分
地点：罗山县朱堂乡农贸市场东门
询问人：000123（执法证号）  记录人：000456
被询问人：（当事人，身份已核对）

问：我们是朱堂乡综合行政执法队执法人员，这是我们的执法证件，请你确认。
答：看清楚了。
问：你在市场东门外摆放货架经营，是否办理了占道许可？
答：没有办理。我马上收回店内。
问：以上记录请你核对，是否与你所说一致？
答：一致。

（以下空白）
`;

/**
 * Makes some short recordings in a directory, with what a docking station would say about each. Those of recorder
 * …0123 belong to one case, the others name none. Where ffmpeg has no H.265 encoder, that recording is left out.
 * @throws DocksealError `media-tool-failed` with ffmpeg's complaint; an error of the file system.
 */
export async function makeDemoMedia(
  dir: string,
  options: { sandbox?: "require" | "limits"; signal?: AbortSignal } = {},
): Promise<DemoFile[]> {
  await mkdir(dir, { recursive: true });
  const { sandbox = "limits", signal = new AbortController().signal } = options;
  const made: DemoFile[] = [];
  for (const recording of recordings) {
    const file = join(dir, recording.name);
    if (recording.encoding === undefined) await writeFile(file, inquiry);
    else if (!(await record(recording, dir, sandbox, signal))) continue;
    if (recording.name === cutOff) await truncate(file, Math.floor((await stat(file)).size / 2));
    made.push({ file, metadata: await metadataOf(recording, file) });
  }
  return made;
}

async function metadataOf(recording: Recording, file: string): Promise<ClipMetadata> {
  const isFirst = recording.name.includes("000123");
  return {
    recorderSerial: isFirst ? "44030620260000000123" : "44030620260000000456",
    collectorNumber: isFirst ? "000123" : "000456",
    fileName: recording.name,
    sizeBytes: (await stat(file)).size,
    capturedAt: recording.capturedAt,
    capturedAtSource: "recorder",
    capturedAtZone: "Asia/Shanghai",
    kind: recording.kind,
    ...(recording.seconds !== undefined && { durationSeconds: recording.seconds }),
    ...recording.metadata,
  };
}

/** @returns false when ffmpeg was built without the encoder. */
async function record(
  recording: Recording,
  dir: string,
  sandbox: "require" | "limits",
  signal: AbortSignal,
): Promise<boolean> {
  const { overlay, encoding = [], seconds = 1, capturedAt } = recording;
  const started = Date.parse(`${capturedAt.replace(" ", "T")}+08:00`) / 1000;
  // Without the font the pictures carry the counter of testsrc2 alone. A colon separates options, hence the backslashes.
  const clock = `drawtext=fontfile=${font}:fontcolor=white:box=1:boxcolor=black@0.6:fontsize=20:x=12:y=h-36:text='${overlay} %{pts\\:gmtime\\:${started + 8 * 3600}}'`;
  const picture = `testsrc2=size=640x360:rate=25,${existsSync(font) ? clock : "null"}`;
  const partial = `.making-${recording.name}`;
  const run = await runSandboxed({
    tool: "ffmpeg",
    args: [
      ...["-hide_banner", "-nostdin", "-v", "error", "-y"],
      ...(overlay === undefined ? [] : ["-f", "lavfi", "-i", picture]),
      ...(recording.kind === "photo" ? [] : ["-f", "lavfi", "-i", voice]),
      ...["-t", String(seconds), "-threads", "2", ...encoding, outputPath(partial)],
    ],
    readOnly: [],
    writableDir: dir,
    limits: { cpuSeconds: 240, memoryBytes: 4 * 1024 ** 3, fileBytes: 256 * 1024 ** 2, wallSeconds: 120 },
    sandbox,
    signal,
  });
  if (run.exitCode !== 0) {
    if (run.stderrTail.includes("Unknown encoder 'libx265'")) return false;
    throw new DocksealError("media-tool-failed", { detail: run.stderrTail.trimEnd().split("\n").at(-1) ?? "" });
  }
  // Under its own name only when it is whole: someone may be watching the directory.
  await rename(join(dir, partial), join(dir, recording.name));
  return true;
}
