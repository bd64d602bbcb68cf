import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { open, rm, unlink } from "node:fs/promises";
import { promisify } from "node:util";
import type { StoreLog } from "../log.ts";
import { failedWith } from "./durable.ts";

const run = promisify(execFile);

/** chattr(1): with the immutable flag nobody can write, rename, link or remove a file, root included, until it is cleared. */
export async function setImmutable(path: string, on: boolean): Promise<void> {
  await run("chattr", [on ? "+i" : "-i", "--", path], { timeout: 10_000 });
}

/**
 * Whether the immutable flag can be set here and holds: it takes root (CAP_LINUX_IMMUTABLE), `chattr`, and a file system
 * that knows it (ext4, XFS, Btrfs; not tmpfs, NFS, overlay).
 */
export async function immutableHolds(directory: string, log: StoreLog): Promise<boolean> {
  const path = `${directory}/immutable-probe-${randomUUID()}`;
  await (await open(path, "wx", 0o440)).close();
  try {
    await setImmutable(path, true);
  } catch (error) {
    log({ level: "info", msg: "locked files get no immutable flag: it cannot be set here", error });
    await rm(path);
    return false;
  }
  const holds = await isRefused(path);
  await setImmutable(path, false);
  await rm(path, { force: true });
  return holds;
}

/** Tries to remove the file, past everything that dockseal itself would refuse. */
export async function isRefused(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return false;
  } catch (error) {
    if (failedWith(error, "EPERM", "EACCES")) return true;
    throw error;
  }
}
