import { readFile } from "node:fs/promises";
import { DocksealError } from "#kernel";

/** A file that a person named. @throws DocksealError `usage`, with the reason, when it cannot be read. */
export function textOf(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: unknown) => {
    throw unreadable(path, error);
  });
}

export function unreadable(path: string, cause: unknown): DocksealError {
  const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new DocksealError("usage", { detail: `${path} cannot be read: ${reason}`, cause });
}
