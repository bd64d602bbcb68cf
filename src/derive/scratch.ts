import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

/*
 * <scratch>/clip-<host>@<process id>-<random>: the copy of an original and what is made of it. The name says whose it
 * is, so that what a killed process left can be told from what another is working on.
 */
const owned = /^clip-(.+)@(\d+)-[A-Za-z0-9]+$/;

/** A new directory for one clip; whoever makes it removes it. */
export async function scratchForClip(scratchDir: string): Promise<string> {
  await mkdir(scratchDir, { recursive: true, mode: 0o700 });
  return mkdtemp(join(scratchDir, `clip-${hostname()}@${process.pid}-`));
}

/**
 * Removes the directories of processes of this machine that are no more: footage must not stay there, nor the disk fill.
 * @returns how many were removed.
 */
export async function sweepScratch(scratchDir: string): Promise<number> {
  await mkdir(scratchDir, { recursive: true, mode: 0o700 });
  let removed = 0;
  for (const name of await readdir(scratchDir)) {
    const [, host, pid] = owned.exec(name) ?? [];
    // A number that is in use again keeps a directory until it is free.
    if (host !== hostname() || lives(Number(pid))) continue;
    await rm(join(scratchDir, name), { recursive: true, force: true });
    removed += 1;
  }
  return removed;
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // EPERM: it lives and is another user's
  }
}
