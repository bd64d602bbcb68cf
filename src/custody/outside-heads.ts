import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { openCheckpoint, parseCheckpoint, parseNote, type TileReader, treeRoot } from "#evidence";
import { DocksealError } from "#kernel";
import type { EvidenceStore, StoredVersion } from "#store";
import type { SignedHead } from "./checkpoints.ts";
import { replaceFile } from "./key-files.ts";

// Heads of the log that are kept outside the database. A database that was restored from an old backup knows nothing of
// them, and that is why they are kept: what contradicts one of them is never signed.

/** A head, and where it is kept, for people. */
export interface OutsideHead extends SignedHead {
  readonly where: string;
}

/** Keeps the newest head beside the log's key. Faults of a disk are played by the tests here. */
export interface HeadFile {
  readonly path: string;
  /** Undefined when there is none. */
  read(): Promise<string | undefined>;
  /** On disk, whole or not at all, when it resolves. */
  write(note: string): Promise<void>;
}

export function headFileIn(directory: string): HeadFile {
  const path = join(directory, "log.head");
  return {
    path,
    read: () =>
      readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      }),
    write: (note) => replaceFile(path, note, 0o600),
  };
}

/**
 * The head in the file.
 * @param vkeys keys that ever signed the log.
 * @throws DocksealError `configuration-invalid` when what lies there is no checkpoint of this log.
 */
export async function headInFile(
  file: HeadFile,
  origin: string,
  vkeys: readonly string[],
): Promise<OutsideHead | undefined> {
  const note = await file.read();
  if (note === undefined) return undefined;
  try {
    const { size, root } = openCheckpoint(note, vkeys, origin);
    return { size, root, note, where: file.path };
  } catch (cause) {
    const detail = `${file.path} is not a checkpoint of this log: restore it, or the database that belongs to it`;
    throw new DocksealError("configuration-invalid", { detail, cause });
  }
}

export const copiesPrefix = "log/checkpoints/";

/** Key of a checkpoint's copy in the evidence store: its day (UTC), its size, and the beginning of its root. */
export function copyKey({ size, root }: Pick<SignedHead, "size" | "root">, signedAt: string): string {
  return `${copiesPrefix}${signedAt.slice(0, 10)}/${String(size).padStart(16, "0")}-${root.toString("hex").slice(0, 16)}`;
}

const day = 24 * 3_600_000;

/**
 * The newest head that was copied into the evidence store.
 * @param vkeys see {@link headInFile}.
 * @returns also the keys of copies that are no checkpoint of this log and name it: somebody should look at them.
 */
export async function newestCopy(
  store: EvidenceStore,
  origin: string,
  vkeys: readonly string[],
  now: Date,
): Promise<{ head: OutsideHead | undefined; invalid: string[] }> {
  const invalid: string[] = [];
  for await (const copy of newestFirst(store, now)) {
    const note = (await buffer(await store.get(copy))).toString();
    try {
      if (parseCheckpoint(parseNote(note).text).origin !== origin) continue; // another log's, in the same store
      const { size, root } = openCheckpoint(note, vkeys, origin);
      return { head: { size, root, note, where: `${store.location}/${copy.key}` }, invalid };
    } catch {
      invalid.push(copy.key);
    }
  }
  return { head: undefined, invalid };
}

/** Copies by size, largest first: those of the last days, and of all days only when there are none. */
async function* newestFirst(store: EvidenceStore, now: Date): AsyncGenerator<StoredVersion> {
  const recent = [1, 0, -1].map((days) => new Date(now.getTime() + days * day).toISOString().slice(0, 10));
  let found = false;
  for (const prefixes of [recent.map((date) => `${copiesPrefix}${date}/`), [copiesPrefix]]) {
    const copies: StoredVersion[] = [];
    for (const prefix of prefixes) {
      for await (const stored of store.list(prefix)) {
        if (/\/\d{16}-[0-9a-f]{16}$/.test(stored.key)) copies.push(stored);
      }
    }
    copies.sort((a, b) => (sizeInName(a) < sizeInName(b) ? 1 : -1));
    for (const copy of copies) {
      found = true;
      yield copy;
    }
    if (found) return;
  }
}

function sizeInName({ key }: StoredVersion): string {
  return key.slice(key.lastIndexOf("/") + 1).slice(0, 16);
}

/**
 * Refuses a log that does not continue a head.
 * @param size entries of the log.
 * @param readTile reads its tiles.
 * @throws DocksealError `log-rolled-back` (the log is shorter), `log-forked` (its beginning is another).
 */
export async function requireContinued(head: OutsideHead, size: number, readTile: TileReader): Promise<void> {
  if (head.size > size) {
    throw new DocksealError("log-rolled-back", {
      detail: `The database's log has ${size} entries, but a checkpoint of ${head.size} was signed (${head.where}). Nothing is signed until the newer backup is restored; clips still come in, and their entries wait.`,
    });
  }
  if ((await treeRoot(head.size, readTile)).equals(head.root)) return;
  throw new DocksealError("log-forked", {
    detail: `The first ${head.size} entries of the database's log are not those of the checkpoint that was signed (${head.where}). Nothing is signed until a database that continues it is restored; clips still come in, and their entries wait.`,
  });
}
