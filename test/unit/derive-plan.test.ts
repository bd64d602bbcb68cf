import t from "tap";
import { argumentsOf, guardedInput } from "../../src/derive/ffmpeg-command.ts";
import {
  planPlayback,
  playbackCommand,
  posterCommand,
  spriteGrid,
  strictCommand,
  withoutCopying,
} from "../../src/derive/plan.ts";
import type { MediaFacts, StreamFacts } from "../../src/derive/probe.ts";

const h264: StreamFacts = {
  ...{ index: 0, type: "video", codec: "h264", profile: "High", level: 40, pixelFormat: "yuv420p" },
  ...{ width: 1920, height: 1080 },
};
const aac: StreamFacts = { index: 1, type: "audio", codec: "aac", profile: "LC", channels: 2, sampleRate: 48_000 };

function facts(...streams: StreamFacts[]): MediaFacts {
  return { container: "mov", durationSeconds: 10, streams, tags: {}, captureTimes: [] };
}

t.test("what browsers play already is copied, never encoded again", async (t) => {
  t.equal(planPlayback(facts(h264, aac))?.action, "repackage");
  t.equal(planPlayback(facts(h264))?.action, "repackage");
  t.equal(planPlayback(facts({ ...h264, pixelFormat: "yuvj420p", level: 51 }, aac))?.action, "repackage");
  const plan = planPlayback(facts(h264, aac));
  const args = plan ? argumentsOf(playbackCommand(plan, "mov", 2)) : [];
  t.match(
    args.join(" "),
    /-map 0:0 -map 0:1 .*-c:v copy -c:a:0 copy .*-movflags \+faststart -f mp4 \/out\/playback\.mp4$/,
  );
  t.notMatch(args.join(" "), /libx264| aac/, "nothing is encoded");
});

t.test("only the sound is encoded when only the sound does not fit", async (t) => {
  for (const codec of ["pcm_alaw", "pcm_mulaw", "amrnb", "adpcm_ima_wav", "pcm_s16le", "mp2"]) {
    const plan = planPlayback(facts(h264, { index: 1, type: "audio", codec, channels: 1 }));
    t.equal(plan?.action, "encode-audio", codec);
    t.match(plan ? argumentsOf(playbackCommand(plan, "mov", 2)).join(" ") : "", /-c:v copy -c:a:0 aac/, codec);
  }
});

t.test("what not every browser plays is transcoded, whatever the container says", async (t) => {
  const unfit: Partial<StreamFacts>[] = [
    { codec: "hevc" },
    { codec: "mpeg4" },
    { profile: "High 10", pixelFormat: "yuv420p10le" },
    { profile: "High 4:2:2", pixelFormat: "yuv422p" },
    { level: 52 },
  ];
  for (const part of unfit) t.equal(planPlayback(facts({ ...h264, ...part }, aac))?.action, "transcode");
  const { level: _level, ...unknownLevel } = h264;
  t.equal(planPlayback(facts(unknownLevel, aac))?.action, "transcode", "a level that is not told is not trusted");
});

t.test("every sound track is kept; covers, data and subtitles are not part of the viewing copy", async (t) => {
  const cover: StreamFacts = { index: 0, type: "video", codec: "mjpeg", isPicture: true };
  const data: StreamFacts = { index: 3, type: "data", codec: "unknown" };
  const second = { ...aac, index: 2, codec: "pcm_alaw" };
  const plan = planPlayback(facts(cover, aac, second, data));
  t.equal(plan?.video, undefined);
  t.same(
    plan?.audio.map(({ stream }) => stream.index),
    [1, 2],
  );
  t.match(plan ? playbackCommand(plan, "mov", 2).output : "", "/out/playback.m4a");
  t.equal(planPlayback(facts(data)), undefined);
});

t.test("frames keep their own times, unless the container has none", async (t) => {
  const plan = planPlayback(facts({ ...h264, codec: "hevc" }));
  if (plan === undefined) return t.fail("no plan");
  t.match(argumentsOf(playbackCommand(plan, "mov", 2)).join(" "), "-fps_mode passthrough");
  t.match(argumentsOf(playbackCommand(plan, "avi", 2)).join(" "), /-fflags \+genpts .*-fps_mode vfr/);
  return undefined;
});

t.test("what cannot be copied after all is encoded whole", async (t) => {
  const plan = planPlayback(facts(h264, aac));
  const again = plan && withoutCopying(plan);
  t.equal(again?.action, "transcode");
  t.equal(again?.video?.copy, false);
  t.same(
    again?.audio.map(({ copy }) => copy),
    [false],
  );
});

t.test("a sprite strip has at most 100 tiles, evenly spaced", async (t) => {
  t.same(spriteGrid(2), { columns: 2, rows: 1, tileWidth: 160, intervalSeconds: 1 });
  t.same(spriteGrid(0), { columns: 1, rows: 1, tileWidth: 160, intervalSeconds: 1 });
  t.same(spriteGrid(25), { columns: 10, rows: 3, tileWidth: 160, intervalSeconds: 1 });
  for (const seconds of [99, 100, 101, 250.5, 3600, 86_400]) {
    const { columns, rows, intervalSeconds } = spriteGrid(seconds);
    t.ok(columns * rows <= 100, `${seconds} s`);
    t.ok(columns * rows * intervalSeconds >= seconds, `${seconds} s are covered to the end`);
  }
});

t.test("every command names one demuxer, few decoders and files alone, and no text of a user", async (t) => {
  const plan = planPlayback(facts(h264, aac));
  for (const command of [
    posterCommand(h264, "avi", 1),
    strictCommand("avi", 2),
    plan && playbackCommand(plan, "avi", 2),
  ]) {
    if (command === undefined) return t.fail("no command");
    const args = argumentsOf(command);
    const before = args.slice(0, args.indexOf("-i")).join(" ");
    t.match(before, "-protocol_whitelist file -format_whitelist avi -codec_whitelist h264,");
    t.match(before, /-f avi$/);
    t.equal(args[args.indexOf("-i") + 1], "/in/0");
    t.ok(args.includes("-nostdin"));
  }
  t.notMatch(guardedInput("mov").join(" "), /vp9|av1|jpeg2000|magicyuv/);
  return undefined;
});

t.test("the builder hands options on as they are", async (t) => {
  const args = argumentsOf({ input: "/in/0", inputOptions: [], outputOptions: ["-x", "a b"], output: "/out/x" });
  t.same(args.slice(-3), ["-x", "a b", "/out/x"]);
  t.throws(() => argumentsOf({ input: "/in/0", inputOptions: ["-a b"], outputOptions: [], output: "-" }));
});
