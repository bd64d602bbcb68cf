import type { ClipMetadata } from "#metadata";
import {
  type CaseName,
  caseNumber,
  type RecorderName,
  recorders,
  type StationNumber,
  stationsOfDemo,
} from "./demo-cast.ts";
import type { SceneName } from "./demo-scenes.ts";
import { type DemoTimes, shanghaiClock } from "./demo-times.ts";

// Two days of an office as stations really get them: recordings in several segments, photos, texts, old formats, a file
// cut off, one that came days late, one with unreadable places, gaps, clocks that are wrong.

export type Format = "h264" | "old-sound" | "hevc" | "avi" | "jpeg" | "wav" | "m4a" | "text" | "track";
const formats = {
  h264: { kind: "video", extension: "mp4" },
  "old-sound": { kind: "video", extension: "mov" },
  hevc: { kind: "video", extension: "mp4" },
  avi: { kind: "video", extension: "avi" },
  jpeg: { kind: "photo", extension: "jpg" },
  wav: { kind: "audio", extension: "wav" },
  m4a: { kind: "audio", extension: "m4a" },
  text: { kind: "text", extension: "txt" },
  track: { kind: "text", extension: "gpx" },
} as const satisfies Record<Format, { kind: ClipMetadata["kind"]; extension: string }>;

/** One file of an event. */
interface Shot {
  readonly format: Format;
  /** From the beginning of the event. */
  readonly afterSeconds: number;
  readonly seconds?: number;
  readonly stage?: string;
  readonly purpose?: string;
  readonly important?: true;
  readonly interruption?: string;
  /** The power failed while it was written: the index at the end is missing. */
  readonly cutOff?: true;
  /** So many bytes in the middle could not be read from the card. */
  readonly unreadableBytes?: number;
  /** Numbers of the recorder's counter before it that nobody has seen. */
  readonly missingBefore?: number;
}

interface Event {
  readonly recorder: RecorderName;
  readonly begins: (times: DemoTimes) => number;
  readonly scene: SceneName;
  readonly place: NonNullable<ClipMetadata["place"]>;
  readonly case?: CaseName;
  /** Does the recorder number its files? */
  readonly numbered?: true;
  /** Enough to see the whole way once. */
  readonly short?: true;
  readonly shots: readonly Shot[];
}

const spot = (text: string, lat: number, lon: number) => ({ text, lat, lon });

const events: readonly Event[] = [
  {
    ...{ recorder: "market", begins: (times) => times.working(410), scene: "market", case: "market", numbered: true },
    short: true,
    place: spot("示范县朱堂乡农贸市场东门", 32.1296, 114.3127),
    shots: [
      { format: "h264", afterSeconds: 0, seconds: 8, stage: "现场检查", purpose: "证明当事人占道经营的现场情况" },
      { format: "h264", afterSeconds: 8, seconds: 8, stage: "现场检查", purpose: "证明当事人占道经营的现场情况" },
      { format: "h264", afterSeconds: 16, seconds: 6, stage: "现场检查", purpose: "证明执法人员表明身份、告知权利" },
      { format: "jpeg", afterSeconds: 310, stage: "证据保全", purpose: "证明被查封扣押物品的数量和外观" },
      { format: "jpeg", afterSeconds: 345, stage: "证据保全", purpose: "证明占用道路的范围" },
      {
        format: "wav",
        afterSeconds: 600,
        seconds: 6,
        stage: "调查取证",
        purpose: "证明当事人陈述的内容和询问程序合法",
      },
      { format: "text", afterSeconds: 1500, stage: "调查取证", purpose: "证明当事人承认占道经营的事实" },
    ],
  },
  {
    ...{ recorder: "market", begins: (times) => times.evening(), scene: "night", case: "night", numbered: true },
    place: spot("示范县滨河路夜市", 32.1341, 114.3202),
    shots: [
      { format: "h264", afterSeconds: 0, seconds: 7, stage: "现场检查", purpose: "证明露天烧烤摊点油烟直排" },
      { format: "h264", afterSeconds: 7, seconds: 5, stage: "现场检查", purpose: "证明露天烧烤摊点油烟直排" },
      { format: "jpeg", afterSeconds: 180, stage: "证据保全", purpose: "证明摊点未安装油烟净化设施" },
      { format: "h264", afterSeconds: 420, seconds: 6, stage: "告知", purpose: "证明已当场告知并责令改正" },
    ],
  },
  {
    ...{ recorder: "market", begins: (times) => times.working(60), scene: "office", numbered: true },
    place: spot("朱堂乡综合行政执法队询问室", 32.1302, 114.3111),
    shots: [
      { format: "h264", afterSeconds: 0, seconds: 8, stage: "陈述申辩", important: true },
      { format: "m4a", afterSeconds: 420, seconds: 7, stage: "陈述申辩" },
    ],
  },
  {
    ...{ recorder: "plant", begins: (times) => times.working(300), scene: "plant" },
    short: true,
    place: spot("示范县工业园区兴旺建材厂排污口", 36.1953, 113.1163),
    shots: [
      { format: "old-sound", afterSeconds: 0, seconds: 6, important: true },
      { format: "hevc", afterSeconds: 600, seconds: 5 },
      { format: "jpeg", afterSeconds: 690 },
      { format: "avi", afterSeconds: 1200, seconds: 5 },
      { format: "jpeg", afterSeconds: 1290 },
      { format: "track", afterSeconds: 1300 },
      { format: "h264", afterSeconds: 1400, seconds: 4, cutOff: true, interruption: "电池耗尽" },
    ],
  },
  {
    ...{ recorder: "plant", begins: (times) => times.working(150), scene: "site", case: "site", numbered: true },
    place: spot("示范县迎宾大道宏达建筑工地", 36.2012, 113.1224),
    shots: [
      { format: "h264", afterSeconds: 0, seconds: 7, stage: "现场检查", purpose: "证明工地裸土未覆盖" },
      // The recorder was silent for a minute and a half, and nobody said why.
      { format: "h264", afterSeconds: 97, seconds: 6, stage: "现场检查", purpose: "证明工地裸土未覆盖" },
      { format: "jpeg", afterSeconds: 240, stage: "证据保全", purpose: "证明围挡喷淋设施未开启" },
      {
        format: "h264",
        afterSeconds: 700,
        seconds: 5,
        stage: "调查取证",
        missingBefore: 1,
        purpose: "证明工地负责人现场陈述",
      },
      { format: "jpeg", afterSeconds: 760, stage: "调查取证", purpose: "证明工地负责人身份" },
    ],
  },
  {
    ...{
      recorder: "village",
      begins: (times) => times.working(240),
      scene: "passage",
      case: "passage",
      numbered: true,
    },
    place: spot("示范县惠民超市地下一层", 32.1277, 114.3166),
    shots: [
      { format: "h264", afterSeconds: 0, seconds: 8, stage: "随机抽查", purpose: "证明疏散通道被货物堵塞" },
      { format: "h264", afterSeconds: 8, seconds: 6, stage: "随机抽查", purpose: "证明疏散通道被货物堵塞" },
      { format: "jpeg", afterSeconds: 150, stage: "证据保全", purpose: "证明安全出口标志完好但不能通行" },
      { format: "jpeg", afterSeconds: 171, stage: "证据保全", purpose: "证明堆放货物的数量" },
      { format: "m4a", afterSeconds: 400, seconds: 6, stage: "调查取证", purpose: "证明现场负责人的陈述" },
    ],
  },
  {
    ...{ recorder: "village", begins: (times) => times.working(100), scene: "market", numbered: true },
    place: spot("朱堂乡乡镇集市北口", 32.1311, 114.3095),
    shots: [
      { format: "h264", afterSeconds: 0, seconds: 6 },
      { format: "jpeg", afterSeconds: 90 },
      { format: "h264", afterSeconds: 260, seconds: 6, unreadableBytes: 4096 },
      { format: "h264", afterSeconds: 600, seconds: 5, interruption: "更换电池" },
    ],
  },
  {
    // Docked days later than it should have been.
    ...{ recorder: "village", begins: (times) => times.daysAgo(3), scene: "yard", case: "yard", numbered: true },
    short: true,
    place: spot("朱堂乡陈家湾村道旁", 32.1408, 114.2986),
    shots: [
      {
        format: "h264",
        afterSeconds: 0,
        seconds: 8,
        stage: "强制拆除",
        purpose: "证明强制拆除全过程",
        important: true,
      },
      {
        format: "h264",
        afterSeconds: 8,
        seconds: 8,
        stage: "强制拆除",
        purpose: "证明强制拆除全过程",
        important: true,
      },
      {
        format: "h264",
        afterSeconds: 16,
        seconds: 8,
        stage: "强制拆除",
        purpose: "证明强制拆除全过程",
        important: true,
      },
      { format: "jpeg", afterSeconds: 420, stage: "强制拆除", purpose: "证明屋内物品清点和移交" },
    ],
  },
];

/** One recording that is to be made, with what its station will say of it. */
export interface DemoRecording {
  readonly name: string;
  readonly format: Format;
  readonly seconds: number | undefined;
  readonly scene: SceneName;
  /** Makes one shot of a place look other than the next. */
  readonly variant: number;
  readonly goingOnSeconds: number;
  readonly cutOff: boolean;
  readonly station: StationNumber;
  /** What the picture says of the recorder. */
  readonly caption: string;
  /** What the recorder's clock showed, in seconds since 1970 as if that had been UTC. */
  readonly shownSeconds: number;
  readonly metadata: Omit<ClipMetadata, "sizeBytes" | "unreadableRanges">;
  readonly unreadableBytes: number;
}

interface Taken {
  readonly event: Event;
  readonly shot: Shot;
  readonly atMs: number;
  readonly variant: number;
  /** Into a recording that was going on already: so long ago it began. */
  readonly goingOnSeconds: number;
}

/**
 * @param all or only as many as show the whole way once.
 * @returns the recordings of the demo, seen from a moment, in the order in which they were made.
 */
export function demoRecordings(times: DemoTimes, all: boolean): DemoRecording[] {
  const counters = new Map<RecorderName, number>();
  return events
    .flatMap((event) => takenOf(event, event.begins(times)))
    .sort((a, b) => a.atMs - b.atMs)
    .map((taken) => ({ short: taken.event.short === true, recording: recordingOf(taken, counters, times.nowMs) }))
    .flatMap(({ short, recording }) => (all || short ? [recording] : []));
}

/** Segments of one recording see the same; after a pause somebody stands elsewhere. */
function takenOf(event: Event, beginsMs: number): Taken[] {
  let [variant, began, ended] = [0, 0, 0];
  return event.shots.map((shot) => {
    const { afterSeconds, seconds = 0 } = shot;
    if (afterSeconds !== ended) [variant, began] = [variant + 1, afterSeconds];
    ended = afterSeconds + seconds;
    return { event, shot, variant, atMs: beginsMs + afterSeconds * 1000, goingOnSeconds: afterSeconds - began };
  });
}

function recordingOf(
  { event, shot, variant, atMs, goingOnSeconds }: Taken,
  counters: Map<RecorderName, number>,
  nowMs: number,
): DemoRecording {
  const recorder = recorders[event.recorder];
  const { kind, extension } = formats[shot.format];
  const shown = shanghaiClock(atMs + recorder.offsetMs);
  const compact = shown.replace(/[-:]/g, "").replace(" ", "_");
  const name =
    shot.format === "text"
      ? `XWBL_${recorder.collector}_${compact}.${extension}`
      : shot.format === "avi"
        ? "MOVI0007.avi"
        : `DCAM_${recorder.camera}_${recorder.collector}_${compact}${shot.important ? "_IMP" : ""}.${extension}`;
  const isNumbered = event.numbered === true && shot.format !== "text";
  const sequence = (counters.get(event.recorder) ?? recorder.counter) + (shot.missingBefore ?? 0);
  if (isNumbered) counters.set(event.recorder, sequence + 1);
  return {
    ...{ name, format: shot.format, seconds: shot.seconds, scene: event.scene, variant, goingOnSeconds },
    cutOff: shot.cutOff === true,
    station: stationsOfDemo[recorder.station].number,
    caption: `${recorder.collector} CAM${recorder.camera}`,
    shownSeconds: Math.floor((atMs + recorder.offsetMs) / 1000) + 8 * 3600,
    unreadableBytes: shot.unreadableBytes ?? 0,
    metadata: {
      ...{ recorderSerial: recorder.serial, collectorNumber: recorder.collector, fileName: name },
      ...{ capturedAt: shown, capturedAtSource: "recorder", capturedAtZone: "Asia/Shanghai", kind, place: event.place },
      ...{ clockOffsetMs: recorder.offsetMs, clockUncertaintyMs: 1_500 },
      ...(isNumbered && { sequence }),
      ...(shot.seconds !== undefined && { durationSeconds: shot.seconds }),
      ...(shot.important && { important: true }),
      ...(shot.interruption !== undefined && { interruptionReason: shot.interruption }),
      ...(shot.stage !== undefined && { stage: shot.stage }),
      ...(event.case !== undefined && { caseNumber: caseNumber(event.case, nowMs), evidencePurpose: shot.purpose }),
    },
  };
}
