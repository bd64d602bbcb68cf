import { randomBytes } from "node:crypto";
import { open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ffmpeg } from "./derive-media.ts";

// Recordings that say in each frame which one it is: in digits for people, and in black and white fields along the top,
// where no watermark comes, for ffmpeg, which knows nothing of a player.

export const framesPerSecond = 25;
const width = 320;
const height = 180;
/** White, black, twelve bits, their parity, white. */
const fields = 16;
const bits = 12;
const stripHeight = 16;
const font = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf";

/**
 * Writes a recording with sound. One key frame is enough for a player that does not care: there are few.
 * @param first number of the first frame, below 4096 like that of the last.
 */
export async function numberedFrames(path: string, frames: number, first = 0): Promise<void> {
  const raw = `${path}.gray`;
  const file = await open(raw, "wx");
  try {
    const frame = Buffer.alloc(width * height, 96);
    for (let n = 0; n < frames; n += 1) {
      for (const [at, isWhite] of fieldsOf(first + n).entries()) {
        for (let y = 0; y < stripHeight; y += 1) {
          const from = y * width + (at * width) / fields;
          frame.fill(isWhite ? 235 : 16, from, from + width / fields);
        }
      }
      await file.write(frame);
    }
  } finally {
    await file.close();
  }
  const seconds = String(frames / framesPerSecond);
  await ffmpeg(
    ...["-f", "rawvideo", "-pix_fmt", "gray", "-s", `${width}x${height}`, "-r", String(framesPerSecond), "-i", raw],
    ...["-f", "lavfi", "-i", "aevalsrc=0.4*sin(2765*t)*gt(sin(3*t)\\,0):s=16000", "-t", seconds],
    ...["-vf", `drawtext=fontfile=${font}:text='%{frame_num}':start_number=${first}:fontsize=72:x=w-tw-12:y=h-th-16`],
    ...["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "100", "-c:a", "aac", path],
  );
  await rm(raw);
}

/** The number of the frame that a picture of the player shows; undefined for a picture of none. */
export async function frameNumber(png: Buffer): Promise<number | undefined> {
  const path = join(tmpdir(), `dockseal-frame-${randomBytes(6).toString("hex")}`);
  try {
    await writeFile(`${path}.png`, png);
    await ffmpeg("-i", `${path}.png`, "-f", "rawvideo", "-pix_fmt", "gray", `${path}.gray`);
    const gray = await readFile(`${path}.gray`);
    // PNG (W3C) §11.2.1: width and height are the first two numbers of IHDR, which comes first.
    return numberIn(gray, png.readUInt32BE(16), png.readUInt32BE(20));
  } finally {
    await Promise.all([rm(`${path}.png`, { force: true }), rm(`${path}.gray`, { force: true })]);
  }
}

function numberIn(gray: Buffer, pictureWidth: number, pictureHeight: number): number | undefined {
  const y = Math.floor((pictureHeight * stripHeight) / height / 2);
  const found = Array.from({ length: fields }, (_, at) => {
    const light = gray[y * pictureWidth + Math.floor(((at + 0.5) * pictureWidth) / fields)] ?? 0;
    return light > 170 ? true : light < 80 ? false : undefined;
  });
  if (found.includes(undefined)) return undefined;
  const number = found.slice(2, 2 + bits).reduce((value, bit) => value * 2 + Number(bit), 0);
  return fieldsOf(number).every((isWhite, at) => isWhite === found[at]) ? number : undefined;
}

function fieldsOf(number: number): boolean[] {
  const said = Array.from({ length: bits }, (_, at) => ((number >> (bits - 1 - at)) & 1) === 1);
  return [true, false, ...said, said.filter(Boolean).length % 2 === 1, true];
}
