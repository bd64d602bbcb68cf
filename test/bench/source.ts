import { createHash, randomFillSync } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";

/** What `dockseal station` sends at a time by tus (src/station/tus-upload.ts). */
export const pieceBytes = 16 * 1024 ** 2;

/** A file to send, and the same bytes in pieces. */
export interface Source {
  readonly file: string;
  readonly sizeBytes: number;
  readonly pieces: readonly Piece[];
}

export interface Piece {
  readonly file: string;
  readonly offsetBytes: number;
  /** Base64, as `Upload-Checksum` wants it. */
  readonly sha256: string;
}

/** Writes bytes that no storage can make smaller. @param name of the file and of the directory with its pieces. */
export async function writeSource(directory: string, name: string, sizeBytes: number): Promise<Source> {
  const file = join(directory, name);
  const parts = join(directory, `${name}-pieces`);
  await mkdir(parts);
  const pieces: Piece[] = [];
  const block = Buffer.allocUnsafeSlow(Math.min(sizeBytes, pieceBytes));
  const whole = await open(file, "w");
  try {
    for (let offsetBytes = 0; offsetBytes < sizeBytes; offsetBytes += block.length) {
      const bytes = randomFillSync(block).subarray(0, sizeBytes - offsetBytes);
      const piece = join(parts, String(pieces.length));
      const handle = await open(piece, "w");
      try {
        await handle.writeFile(bytes);
      } finally {
        await handle.close();
      }
      await whole.appendFile(bytes);
      pieces.push({ file: piece, offsetBytes, sha256: createHash("sha256").update(bytes).digest("base64") });
    }
  } finally {
    await whole.close();
  }
  return { file, sizeBytes, pieces };
}
