import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a file whole or not at all, and on disk before this resolves: aside, synced, renamed, the directory synced. */
export async function replaceFile(path: string, content: string, mode: number): Promise<void> {
  const file = await open(`${path}.part`, "w", mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
