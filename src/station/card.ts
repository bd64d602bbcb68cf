import { open } from "node:fs/promises";

/** What a file looks like without reading it. */
export interface Look {
  readonly sizeBytes: number;
  /** Nanoseconds since 1970. */
  readonly modifiedNs: string;
  /** Device and inode: which file this is, as long as the card stays mounted. */
  readonly node: string;
}

export interface OpenFile {
  look(): Promise<Look>;
  /** Reads up to the length of `into` at `position`. @returns how many bytes there were; 0 at the end. */
  read(into: Buffer, position: number): Promise<number>;
  close(): Promise<void>;
}

/** Where footage is read from. A port, because no test can make a real card die. */
export interface Card {
  open(path: string): Promise<OpenFile>;
}

export const mountedCard: Card = {
  async open(path) {
    const file = await open(path, "r");
    return {
      look: async () => lookOf(await file.stat({ bigint: true })),
      read: async (into, position) => (await file.read(into, 0, into.length, position)).bytesRead,
      close: () => file.close(),
    };
  },
};

export function lookOf(stats: { size: bigint; mtimeNs: bigint; dev: bigint; ino: bigint }): Look {
  return { sizeBytes: Number(stats.size), modifiedNs: String(stats.mtimeNs), node: `${stats.dev}:${stats.ino}` };
}

export function sameLook(one: Look, other: Look): boolean {
  return one.sizeBytes === other.sizeBytes && one.modifiedNs === other.modifiedNs && one.node === other.node;
}

/** The file is not what it was when we began to read it: it is taken again once it is at rest. */
export class Changed extends Error {
  override readonly name = "Changed";
}

/** Faults of a medium that still answers. A card that was pulled out gives others (ENODEV, ENXIO, ENOENT). */
export function isMediumFault(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return ["EIO", "EREMOTEIO", "EBADMSG", "EILSEQ", "EUCLEAN"].includes(code);
}

/** Exactly these bytes. @throws Changed when the file ends before; the medium's fault when it stays. */
export async function readExactly(file: OpenFile, position: number, length: number): Promise<Buffer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const bytes = Buffer.allocUnsafe(length);
      for (let at = 0; at < length; ) {
        const count = await file.read(bytes.subarray(at), position + at);
        if (count === 0) throw new Changed("the file became shorter while it was read");
        at += count;
      }
      return bytes;
    } catch (error) {
      if (!isMediumFault(error) || attempt >= 3) throw error;
    }
  }
}
