import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Test } from "tap";

const run = promisify(execFile);

/** A directory that goes away with the test. */
export async function scratch(t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "dockseal-derive-"));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** ffmpeg of this machine, outside of any sandbox: for samples, and as a second opinion on what was made of them. */
export async function ffmpeg(...args: string[]): Promise<string> {
  const { stdout } = await run("ffmpeg", ["-hide_banner", "-nostdin", "-v", "error", "-y", ...args]);
  return stdout;
}

const picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:d=2"];
const sound = ["-f", "lavfi", "-i", "sine=d=2"];
const x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];

/** Two seconds, 320 × 180, as recorders of several ages write them. */
export const samples: Readonly<Record<string, readonly string[]>> = {
  "ready.mp4": [...picture, ...sound, ...x264, "-c:a", "aac", "-metadata", "creation_time=2026-11-21T09:30:00Z"],
  "silent.mp4": [...picture, ...x264],
  "alaw.mov": [...picture, ...sound, ...x264, "-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"],
  "adpcm.avi": [...picture, ...sound, ...x264, "-bf", "2", "-c:a", "adpcm_ima_wav", "-ar", "22050"],
  "hevc.mp4": [...picture, ...sound, "-c:v", "libx265", "-x265-params", "log-level=error", "-c:a", "aac"],
  "old.avi": [...picture, ...sound, "-c:v", "mpeg4", "-c:a", "mp2"],
  "odd.avi": ["-f", "lavfi", "-i", "testsrc=s=321x181:d=1", "-c:v", "mjpeg", "-pix_fmt", "yuvj444p"],
  "stream.ts": [...picture, ...sound, ...x264, "-c:a", "aac"],
  "program.mpg": [...picture, ...sound, "-c:v", "mpeg2video", "-c:a", "mp2"],
  "fragments.mp4": [
    ...[...picture, ...sound, ...x264, "-g", "10", "-c:a", "aac"],
    ...["-movflags", "frag_keyframe+empty_moov"],
  ],
  "faststart.mp4": [...picture, ...sound, ...x264, "-c:a", "aac", "-movflags", "+faststart"],
  "vp9.mp4": [...picture, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
  "sound.wav": [...sound, "-c:a", "pcm_s16le"],
  "photo.jpg": [...picture, "-frames:v", "1", "-pix_fmt", "yuvj420p"],
  "photo.bmp": [...picture, "-frames:v", "1"],
};

/** Makes one of {@link samples} in a directory. */
export async function sample(dir: string, name: string): Promise<string> {
  const path = join(dir, name);
  await ffmpeg(...(samples[name] ?? []), path);
  return path;
}

export interface Stream {
  readonly codec_type: string;
  readonly codec_name: string;
  readonly pix_fmt?: string;
  readonly width?: number;
  readonly height?: number;
  readonly nb_frames?: string;
}

/** What ffprobe of this machine says of a file that we made. */
export async function streamsOf(path: string): Promise<Stream[]> {
  const { stdout } = await run("ffprobe", ["-v", "error", "-show_streams", "-of", "json", path]);
  return (JSON.parse(stdout) as { streams: Stream[] }).streams;
}

export async function sha256Of(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}

/** A listening socket that nothing hostile may reach; `connections` counts what did. */
export async function listener(t: Test): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on("error", () => socket.destroy()).end();
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}
