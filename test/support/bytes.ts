import { createHash } from "node:crypto";

const PATTERN = Buffer.from(Array.from({ length: 64 * 1024 }, (_, at) => (at * 31 + (at >> 8)) & 0xff));

/** The same bytes for the same seed, made as they are read: nothing of a large body is held. */
export async function* generated(sizeBytes: number, seed = 0): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < sizeBytes; at += PATTERN.length) {
    const chunk = Buffer.from(PATTERN.subarray(0, Math.min(PATTERN.length, sizeBytes - at)));
    if (chunk.length >= 8) chunk.writeDoubleLE(at + seed, 0);
    else chunk.fill(seed & 0xff);
    yield chunk;
  }
}

/** SHA-256 of everything that a stream gives, as hex digits, and how much that was. */
export async function digestOf(bytes: AsyncIterable<Uint8Array>): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of bytes) {
    hash.update(chunk);
    sizeBytes += chunk.byteLength;
  }
  return { sha256: hash.digest("hex"), sizeBytes };
}

/** A source that gives `sizeBytes` and then neither goes on nor ends. */
export async function* hanging(sizeBytes: number): AsyncGenerator<Uint8Array> {
  yield* generated(sizeBytes);
  await new Promise(() => undefined);
}

/** A source that gives `sizeBytes` and then fails. */
export async function* failing(sizeBytes: number, error: Error): AsyncGenerator<Uint8Array> {
  yield* generated(sizeBytes);
  throw error;
}

/** Everything that an iterable gives. */
export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A part of a resumable write. */
export function newPart(number: number, bytes: Buffer): { number: number; bytes: Buffer; sha256: string } {
  return { number, bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}
