import { link, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { newId } from "#kernel";

/** Creates a secret file whole or not at all; when it exists already, it stays. Two processes may try at once. */
export async function writeOnce(path: string, content: () => string | Promise<string>): Promise<void> {
  const exists = await open(path, "r").then(
    (file) => file.close().then(() => true),
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
  if (exists) return;
  const temporary = `${path}.${newId()}`;
  await writeSynced(temporary, "wx", await content(), 0o600);
  try {
    await link(temporary, path);
    await syncDirectory(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(temporary);
  }
}

/** Writes a file whole or not at all, and on disk before this resolves: aside, synced, renamed, the directory synced. */
export async function replaceFile(path: string, content: string, mode: number): Promise<void> {
  await writeSynced(`${path}.part`, "w", content, mode);
  await rename(`${path}.part`, path);
  await syncDirectory(path);
}

async function writeSynced(path: string, flags: "w" | "wx", content: string, mode: number): Promise<void> {
  const file = await open(path, flags, mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
