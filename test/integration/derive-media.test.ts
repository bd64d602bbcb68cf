import { chmod, copyFile, mkdtemp, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import t, { type Test } from "tap";
import { type Derived, debianPrograms, deriveMedia, type MediaSettings, mediaSettings, probeSandbox } from "#derive";
import { ffmpeg, listener, sample, scratch, sha256Of, streamsOf } from "../support/derive-media.ts";

const { level } = await probeSandbox();
/** Without bubblewrap on this machine everything but the promises of namespaces still holds. */
const sandbox = level === "bubblewrap" ? "require" : "limits";
const dir = await scratch(t);

async function derive(path: string, more: Partial<MediaSettings> = {}, fileName = basename(path)): Promise<Derived> {
  return deriveMedia({
    ...{ inputPath: path, fileName, scratchDir: await mkdtemp(join(dir, "scratch-")) },
    settings: mediaSettings({ sandbox, wallSeconds: 60, ...more }),
    signal: new AbortController().signal,
  });
}
const made = (derived: Derived, role: string) => derived.derivatives.find((derivative) => derivative.role === role);
const roles = (derived: Derived) => derived.derivatives.map(({ role }) => role).sort();

/** Checks what holds for every recording with a picture, against this machine's own ffprobe. */
async function checkRecording(t: Test, derived: Derived, expected: { sound: boolean; size?: [number, number] }) {
  t.equal(derived.playable, true);
  t.same(roles(derived), ["playback", "poster", "sprite", ...(expected.sound ? ["waveform"] : [])]);
  for (const derivative of derived.derivatives) {
    t.equal(derivative.sha256, await sha256Of(derivative.path), `${derivative.role} has its digest`);
    t.equal(derivative.sizeBytes, (await stat(derivative.path)).size);
    t.match(derivative, { tool: "ffmpeg", toolVersion: /^ffmpeg version /, sandbox: level });
    t.ok(derivative.arguments.includes("/in/0"), "the arguments name no path of this machine");
    t.notMatch(derivative.arguments.join(" "), dir);
  }
  const playback = made(derived, "playback");
  const streams = await streamsOf(playback?.path ?? "");
  const video = streams.find((stream) => stream.codec_type === "video");
  t.match(video, { codec_name: "h264", pix_fmt: /^yuvj?420p$/ });
  const [width, height] = expected.size ?? [320, 180];
  t.match(video, { width, height });
  t.match(playback?.facts, { width, height });
  t.match(made(derived, "poster"), { mediaType: "image/jpeg" });
  t.match(made(derived, "sprite")?.facts, { tileWidth: 160, rows: 1, intervalSeconds: 1 });
  const sound = streams.filter((stream) => stream.codec_type === "audio");
  t.equal(sound.length, expected.sound ? 1 : 0);
  if (expected.sound) t.match(sound[0], { codec_name: "aac" });
  const bytes = await readFile(playback?.path ?? "");
  t.ok(bytes.indexOf("moov") < bytes.indexOf("mdat"), "the index comes first");
  return { video, playback };
}

/** MD5 of the coded packets of the picture: equal means not encoded again. */
const packets = (path: string) => ffmpeg("-i", path, "-map", "0:v:0", "-c", "copy", "-f", "streamhash", "-");

t.test("a playable recording is repackaged, not encoded again, and its raw capture time is kept", async (t) => {
  const path = await sample(dir, "ready.mp4");
  const derived = await derive(path);
  const { playback } = await checkRecording(t, derived, { sound: true });
  t.equal(await packets(playback?.path ?? ""), await packets(path));
  t.match(derived, { kind: "video", mediaType: "video/mp4", defects: [] });
  t.match(derived.facts, { container: "mov", durationSeconds: 2, streams: [{ codec: "h264" }, { codec: "aac" }] });
  t.match(derived.facts?.captureTimes[0], {
    ...{ raw: "2026-11-21T09:30:00.000000Z", source: "quicktime:creation_time" },
    ...{ normalized: "2026-11-21T09:30:00.000Z", certainty: "utc-claimed" },
  });
  const waveform = JSON.parse(await readFile(made(derived, "waveform")?.path ?? "", "utf8"));
  t.match(waveform, { version: 2, bits: 8, channels: 1, sample_rate: 8000 });
  t.equal(waveform.data.length, waveform.length * 2);
  t.ok(Math.max(...waveform.data) > 5, "the tone is to be seen");
});

t.test("only the sound is encoded when only the sound does not fit", async (t) => {
  for (const name of ["alaw.mov", "adpcm.avi"]) {
    const path = await sample(dir, name);
    const derived = await derive(path);
    const { playback } = await checkRecording(t, derived, { sound: true });
    t.match(playback?.arguments.join(" "), /-c:v copy -c:a:0 aac/, name);
  }
  const path = join(dir, "alaw.mov");
  t.equal(await packets(made(await derive(path), "playback")?.path ?? ""), await packets(path));
});

for (const name of ["silent.mp4", "hevc.mp4", "old.avi", "stream.ts", "program.mpg", "fragments.mp4"]) {
  t.test(`${name} becomes H.264 and AAC with its sound kept`, async (t) => {
    const derived = await derive(await sample(dir, name));
    await checkRecording(t, derived, { sound: name !== "silent.mp4" });
    t.same(derived.defects, []);
  });
}

t.test("odd sides lose nothing, a turned recording stands upright", async (t) => {
  await checkRecording(t, await derive(await sample(dir, "odd.avi")), { sound: false, size: [322, 182] });
  const turned = join(dir, "turned.mp4");
  await ffmpeg("-i", join(dir, "hevc.mp4"), "-c", "copy", "-metadata:s:v:0", "rotate=90", turned);
  const derived = await derive(turned);
  const { video } = await checkRecording(t, derived, { sound: true, size: [180, 320] });
  t.equal(video?.nb_frames, "50", "every frame is there");
  t.ok([90, 270].includes(derived.facts?.streams[0]?.rotation ?? 0));
  t.match(made(derived, "poster")?.facts, { width: 180, height: 320 });
});

t.test("sound alone becomes AAC and a waveform; a photo a poster; a text nothing", async (t) => {
  const sound = await derive(await sample(dir, "sound.wav"));
  t.match(sound, { kind: "audio", playable: true, defects: [] });
  t.same(roles(sound), ["playback", "waveform"]);
  t.match(made(sound, "playback"), { mediaType: "audio/mp4", facts: { durationSeconds: 2 } });
  t.match(await streamsOf(made(sound, "playback")?.path ?? ""), [{ codec_name: "aac" }]);

  const photo = await sample(dir, "photo.jpg");
  const plain = await readFile(photo);
  const taken = Buffer.from("2026:11:21 09:30:00\0", "latin1");
  // One EXIF segment (CIPA DC-008): IFD0 points to the Exif IFD, which holds DateTimeOriginal.
  const tiff = Buffer.alloc(44);
  tiff.write("II*\0", "latin1");
  tiff.writeUInt32LE(8, 4);
  for (const [offset, tag, type, count, value] of [
    [8, 0x8769, 4, 1, 26],
    [26, 0x9003, 2, 20, 44],
  ] as const) {
    tiff.writeUInt16LE(1, offset);
    tiff.writeUInt16LE(tag, offset + 2);
    tiff.writeUInt16LE(type, offset + 4);
    tiff.writeUInt32LE(count, offset + 6);
    tiff.writeUInt32LE(value, offset + 10);
  }
  const segment = Buffer.concat([Buffer.from("Exif\0\0", "latin1"), tiff, taken]);
  const marker = Buffer.from([0xff, 0xe1, 0, segment.length + 2]);
  await writeFile(photo, Buffer.concat([plain.subarray(0, 2), marker, segment, plain.subarray(2)]));
  const jpeg = await derive(photo);
  t.match(jpeg, { kind: "photo", mediaType: "image/jpeg", playable: true, defects: [] });
  t.same(roles(jpeg), ["poster"]);
  t.same(jpeg.facts?.captureTimes, [
    { raw: "2026:11:21 09:30:00", source: "exif:DateTimeOriginal", certainty: "unknown" },
  ]);
  const bmp = await derive(await sample(dir, "photo.bmp"));
  t.same(roles(bmp), ["playback", "poster"]);
  t.match(made(bmp, "playback"), { mediaType: "image/jpeg", facts: { width: 320, height: 180 } });

  const text = join(dir, "record.mp4");
  await writeFile(text, "询问笔录");
  t.strictSame(await derive(text), {
    ...{ kind: "text", mediaType: "text/plain", playable: false, reason: "not-media", derivatives: [], defects: [] },
  });
});

t.test("a recording cut off plays as far as it goes, and the defect is named", async (t) => {
  for (const name of ["fragments.mp4", "faststart.mp4", "old.avi", "stream.ts"]) {
    const whole = await sample(dir, name);
    const cut = join(dir, `cut-${name}`);
    await copyFile(whole, cut);
    await truncate(cut, Math.floor((await stat(whole)).size * 0.6) + 1);
    const derived = await derive(cut);
    t.match(derived, { playable: true, defects: [/^truncated: /] }, name);
    const seconds = made(derived, "playback")?.facts.durationSeconds ?? 0;
    t.ok(seconds > 0.3 && seconds < 1.9, `${name}: ${seconds} s of 2`);
    // A transport stream may be cut between two frames; then nothing is wrong with those that are there.
    const isDecoded = name === "stream.ts" || derived.defects.some((defect) => defect.startsWith("decode: "));
    t.ok(isDecoded, `${name}: ${derived.defects.join("; ")}`);
  }
});

t.test("what cannot be played says why and is not an error", async (t) => {
  const ready = await sample(dir, "ready.mp4");
  const cut = join(dir, "cut.mp4");
  await copyFile(ready, cut);
  await truncate(cut, 40_000);
  t.match(await derive(cut), { playable: false, kind: "video", reason: "no-moov", derivatives: [] });
  t.match(await derive(await sample(dir, "vp9.mp4")), {
    ...{ playable: false, reason: "codec-not-allowed", defects: ["codec-not-allowed: vp9"] },
  });
  const zeros = join(dir, "zeros.mp4");
  await writeFile(zeros, Buffer.alloc(200_000));
  t.match(await derive(zeros), { playable: false, kind: "other", defects: ["zero-tail: bytes 0-199999"] });
  await writeFile(zeros, "");
  t.match(await derive(zeros), { playable: false, reason: "empty" });
  const garbage = join(dir, "garbage.avi");
  await writeFile(garbage, Buffer.concat([Buffer.from("RIFF\xff\0\0\0AVI ", "latin1"), Buffer.alloc(5000, 0x5a)]));
  t.match(await derive(garbage), { playable: false, reason: /^(?:decode-failed|no-stream)$/ });
  const reserved = join(dir, "reserved.mp4");
  await writeFile(reserved, Buffer.concat([await readFile(ready), Buffer.alloc(300_000)]));
  t.match(await derive(reserved), { playable: true, defects: [/^zero-tail: bytes \d+-\d+$/] });
});

t.test("a playlist that is called a recording reads nothing and calls nobody", async (t) => {
  const { port, connections } = await listener(t);
  const secret = join(dir, "secret.ts");
  await copyFile(await sample(dir, "stream.ts"), secret);
  const url = `http://127.0.0.1:${port}/x.ts`;
  const hls = `#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1.0,\n${url}\n#EXT-X-ENDLIST\n`;
  const hostile: Record<string, string | Buffer> = {
    "concat.mp4": `ffconcat version 1.0\nfile ${secret}\nfile ${url}\n`,
    "hls.mp4": hls,
    "passwd.mp4": "#EXTM3U\n#EXTINF:1.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "dash.mp4": `<?xml version="1.0"?><MPD><BaseURL>${url}</BaseURL></MPD>`,
    "ftyp.mp4": Buffer.concat([Buffer.from("\0\0\0\x14ftypisom\0\0\0\0isom", "latin1"), Buffer.from(hls)]),
    "hls.avi": Buffer.concat([Buffer.from("RIFF\x10\0\0\0AVI ", "latin1"), Buffer.from(hls)]),
    "hls.ts": Buffer.concat([...Array(4)].map(() => Buffer.concat([Buffer.from("G"), Buffer.from(hls.padEnd(187))]))),
  };
  for (const [name, content] of Object.entries(hostile)) {
    await writeFile(join(dir, name), content);
    const derived = await derive(join(dir, name));
    t.match(derived, { playable: false, derivatives: [] }, name);
    if (typeof content === "string") t.equal(derived.reason, "not-media", name);
  }
  t.equal(connections(), 0);
});

t.test("the original is never changed", async (t) => {
  const path = await sample(dir, "ready.mp4");
  const [digest, { mtimeMs, mode }] = [await sha256Of(path), await stat(path)];
  await derive(path);
  t.equal(await sha256Of(path), digest);
  t.match(await stat(path), { mtimeMs, mode });
});

t.test("a lack of time, room or permission to run is thrown, so that it is tried again", async (t) => {
  const path = await sample(dir, "hevc.mp4");
  await t.rejects(derive(path, { fileBytes: 8192 }), { code: "media-tool-failed", message: /SIGXFSZ/ });
  await t.rejects(derive(path, { wallSeconds: 0.01 }), { code: "media-tool-failed", message: /stopped after/ });
  await t.rejects(derive(path, { memoryBytes: 128 * 2 ** 20 }), { code: "media-tool-failed" });
  const missing = { ...debianPrograms, ffmpeg: "/usr/bin/ffmpeg-that-is-not-there" };
  await t.rejects(derive(path, { programs: missing }), { code: /media-tool-failed|sandbox-unavailable/ });
  const unchecked = await derive(path, { strictSeconds: 0.01 });
  t.match(unchecked, { playable: true, defects: [/^unchecked: /] }, "a strict pass that took too long is said");
});

t.test("an abort ends it with its reason, and progress is told until then", async (t) => {
  const path = await sample(dir, "old.avi");
  const abort = new AbortController();
  const steps = new Set<string>();
  const work = deriveMedia({
    ...{ inputPath: path, fileName: "old.avi", scratchDir: await mkdtemp(join(dir, "scratch-")) },
    settings: mediaSettings({ sandbox }),
    signal: abort.signal,
    onProgress: ({ step, fraction }) => {
      steps.add(step);
      t.ok(fraction >= 0 && fraction <= 1);
      if (step === "playback") abort.abort(new Error("shutting down"));
    },
  });
  await t.rejects(work, { message: "shutting down" });
  t.same([...steps], ["check", "waveform", "playback"]);
});

t.test("a link that a tool leaves in place of a picture is not followed", async (t) => {
  const path = await sample(dir, "ready.mp4");
  const secret = await sample(dir, "photo.jpg");
  const taken = join(dir, "taken-over");
  const body = `for last; do :; done\ncase "$last" in */poster.jpg) exec /bin/ln -s ${secret} "$last";; esac`;
  await writeFile(taken, `#!/bin/sh\n${body}\nexec ${debianPrograms.ffmpeg} "$@"\n`);
  await chmod(taken, 0o755);
  const programs = { ...debianPrograms, ffmpeg: taken, bwrap: "/nonexistent/bwrap" };
  const derived = await derive(path, { programs, sandbox: "limits" });
  t.same(roles(derived), ["playback", "sprite", "waveform"]);
  t.ok(derived.derivatives.every((derivative) => derivative.sandbox === "limits"));
  t.same(derived.defects, ["poster: no picture"]);
});
