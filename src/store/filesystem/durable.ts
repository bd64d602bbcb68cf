import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { DocksealError } from "#kernel";

/** Whether a call of the file system failed with one of these codes, e.g. `ENOENT`. */
export function failedWith(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes(String((error as NodeJS.ErrnoException).code));
}

/** The problem that a fault of the file system is for a caller. */
export function asProblem(operation: string, error: unknown): DocksealError {
  if (error instanceof DocksealError) return error;
  const detail = `${operation}: ${error instanceof Error ? error.message.replace(/ '.*$/, "") : String(error)}`;
  if (failedWith(error, "ENOSPC", "EDQUOT")) return new DocksealError("store-full", { detail, cause: error });
  return new DocksealError("store-unavailable", { detail, cause: error, retryAfterSeconds: 10 });
}

/** Makes the names in a directory durable: a new or renamed file is lost with the power until its directory is synced. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Creates a directory with all above it; every new name is durable. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o750 });
  if (first === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === first) return;
  }
}

/** Creates an empty file whose name is the whole message. Durable; there already is no error. */
export async function createMark(directory: string, name: string): Promise<void> {
  try {
    const handle = await open(`${directory}/${name}`, "wx", 0o440);
    await handle.close();
  } catch (error) {
    if (!failedWith(error, "EEXIST")) throw error;
  }
  await syncDirectory(directory);
}

/** Writes all of the chunks; a single call may write fewer bytes than it was given. */
export async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  let rest = [...chunks];
  while (rest.length > 0) {
    let { bytesWritten } = await handle.writev(rest);
    while (rest[0] && bytesWritten >= rest[0].byteLength) bytesWritten -= (rest.shift() as Uint8Array).byteLength;
    if (rest[0] && bytesWritten > 0) rest = [rest[0].subarray(bytesWritten), ...rest.slice(1)];
  }
}
