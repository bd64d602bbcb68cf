import { type FileHandle, open } from "node:fs/promises";
import type { Container } from "#ingest";

/**
 * What the bytes of a file tell about its wholeness before any decoder looks at it. Each defect is a code, and after
 * a colon what exactly: `no-moov`, `truncated: …`, `unfinished: …`, `zero-tail: bytes A-B` (both inclusive).
 */
export interface Structure {
  readonly sizeBytes: number;
  readonly defects: readonly string[];
}

/** Zeros at the end that are worth a word: recorders reserve space in clusters of up to this much. */
const zeroTailBytes = 64 * 1024;
const readBytes = 1024 * 1024;
/** A recording has a handful of boxes at the top, a fragmented one two for each second or so. */
const maxBoxes = 1_000_000;

/**
 * Reads the outer structure of a file: the boxes of an ISO file, the RIFF chunks of AVI and WAV, whole packets of a
 * transport stream, and zeros at the end, which a recorder leaves that reserved space and then lost power.
 */
export async function structureOf(path: string, container: Container | undefined): Promise<Structure> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const defects: string[] = [];
    if (container === "mov") defects.push(...(await boxDefects(file, size)));
    if (container === "avi" || container === "wav") defects.push(...(await riffDefects(file, size)));
    if (container === "mpegts" && size % 188 !== 0 && size % 192 !== 0) {
      defects.push("truncated: the file ends inside a packet");
    }
    const zeros = await zeroTail(file, size);
    // Digital silence is zeros too, and a WAV file ends with it as it is recorded.
    if (zeros >= zeroTailBytes && container !== "wav") defects.push(`zero-tail: bytes ${size - zeros}-${size - 1}`);
    return { sizeBytes: size, defects };
  } finally {
    await file.close();
  }
}

/** ISO/IEC 14496-12 §4.2: boxes follow one another; a size of 0 reaches to the end, 1 means a 64-bit size follows. */
async function boxDefects(file: FileHandle, size: number): Promise<string[]> {
  const header = Buffer.alloc(16);
  let hasMoov = false;
  let offset = 0;
  for (let count = 0; offset + 8 <= size && count < maxBoxes; count++) {
    const { bytesRead } = await file.read(header, 0, 16, offset);
    const type = header.toString("latin1", 4, 8);
    if (type === "\0\0\0\0") break; // reserved space, reported as a zero tail
    if (type === "moov") hasMoov = true;
    let length = header.readUInt32BE(0);
    if (length === 0) length = size - offset;
    else if (length === 1) length = bytesRead === 16 ? Number(header.readBigUInt64BE(8)) : 0;
    if (length < 8) return [...(hasMoov ? [] : ["no-moov"]), `malformed: box at byte ${offset}`];
    if (offset + length > size) {
      const missing = `truncated: box ${printable(type)} wants ${offset + length - size} bytes more`;
      return type !== "moov" && hasMoov ? [missing] : ["no-moov", missing];
    }
    offset += length;
  }
  return hasMoov ? [] : ["no-moov"];
}

/** RIFF: each chunk says its size, filled up to an even number; AVI beyond 1 GiB is several chunks (OpenDML §2.0). */
async function riffDefects(file: FileHandle, size: number): Promise<string[]> {
  const header = Buffer.alloc(8);
  for (let offset = 0; offset + 8 <= size; ) {
    await file.read(header, 0, 8, offset);
    const length = header.readUInt32LE(4);
    const name = header.toString("latin1", 0, 4);
    // RF64 keeps its size elsewhere and says 0xffffffff here (EBU Tech 3306 §3).
    if (name !== "RIFF") return [];
    if (length === 0 || length === 0xffffffff) return ["unfinished: the recorder never wrote the length"];
    const end = offset + 8 + length;
    if (end > size) return [`truncated: the ${offset === 0 ? "" : "last "}RIFF chunk wants ${end - size} bytes more`];
    offset = end + (length % 2);
  }
  return [];
}

/** How many bytes at the end are zero. */
async function zeroTail(file: FileHandle, size: number): Promise<number> {
  const buffer = Buffer.alloc(readBytes);
  const zeros = Buffer.alloc(readBytes);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - readBytes);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    const part = buffer.subarray(0, bytesRead);
    if (!part.equals(zeros.subarray(0, bytesRead))) {
      const last = part.findLastIndex((byte) => byte !== 0);
      return size - (start + last + 1);
    }
    end = start;
  }
  return size;
}

function printable(type: string): string {
  return type.replace(/[^ -~]/g, "?");
}
