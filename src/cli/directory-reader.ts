import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { BagEntry, BagReader } from "#verify";
import { unreadable } from "./text-file.ts";

/** A directory as a bag. Links are listed and never followed. */
export function directoryReader(root: string): BagReader {
  return {
    list: () => entriesIn(root, ""),
    open: (path) => contentOf(join(root, path)),
  };
}

async function* entriesIn(root: string, folder: string): AsyncGenerator<BagEntry> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    throw unreadable(join(root, folder), error);
  });
  for (const entry of entries) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory()) yield* entriesIn(root, `${path}/`);
    else yield { path, isFile: entry.isFile() };
  }
}

/** The bytes of a file. @throws DocksealError `usage`, with the reason, when it cannot be read. */
export async function* contentOf(path: string): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(path, { highWaterMark: 1024 * 1024 });
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw unreadable(path, error);
  }
}
