import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { DocksealError } from "#kernel";
import { type ClipMetadata, parseMetadata } from "#metadata";
import { type ClockOffset, type RecorderClock, recorderOffset } from "./clock.ts";
import { factsOfFileName } from "./file-names/index.ts";
import { recorderFileName, recorderFileOf } from "./recorder-file.ts";

const sidecar = ".metadata.json";

/** A file of a card, and how to find out what can be said about it. */
export interface CardFile {
  readonly path: string;
  /** Path below the folder, with `/`: two files with one name in two folders are two files. */
  readonly name: string;
  /** @throws DocksealError when what lies beside the file is not as it must be. */
  readonly describe: () => Promise<ClipMetadata>;
}

/** What holds where neither the file's name nor anything beside it says otherwise. */
export interface Defaults {
  readonly recorderSerial: string;
  readonly collectorNumber: string;
  /** Zone of times in file names. */
  readonly zone?: string | undefined;
  /** Of the recorder that is docked. */
  readonly recorderClock?: RecorderClock | undefined;
  /** Server's clock minus the station's; asked only when a recorder's clock is known. */
  readonly serverClock?: () => Promise<ClockOffset>;
}

/**
 * The files of a card, folder by folder. Hidden files, `NAME.metadata.json` and `recorder.json` are not footage, and links
 * are not followed: they may lead off the card.
 * @throws DocksealError `usage` when the folder cannot be read.
 */
export async function filesOf(directory: string, defaults: Defaults): Promise<CardFile[]> {
  const root = resolve(directory);
  const found: CardFile[] = [];
  const walk = async (folder: string, prefix: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      throw new DocksealError("usage", { detail: `${folder} cannot be read: ${error.code}`, cause: error });
    });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      const name = `${prefix}${entry.name}`;
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory()) await walk(path, `${name}/`);
      if (!entry.isFile() || entry.name.endsWith(sidecar) || entry.name === recorderFileName) continue;
      found.push({ path, name, describe: () => describe(root, path, defaults) });
    }
  };
  await walk(root, "");
  return found;
}

/** What is known of a file: from beside it before from the recorder, from there before from its name, then the rest. */
async function describe(root: string, path: string, defaults: Defaults): Promise<ClipMetadata> {
  const fileName = sendable(basename(path));
  const told = factsOfFileName(fileName);
  const recorder = await recorderFileOf(root, path);
  const clock = recorder.clock ?? defaults.recorderClock;
  const offset = clock === undefined ? undefined : recorderOffset(clock, await defaults.serverClock?.());
  const captured =
    told.capturedAt === undefined
      ? { capturedAt: (await stat(path)).mtime.toISOString(), capturedAtSource: "file-time" }
      : { capturedAtSource: "file-name", ...(defaults.zone === undefined ? {} : { capturedAtZone: defaults.zone }) };
  const metadata = {
    recorderSerial: defaults.recorderSerial,
    collectorNumber: defaults.collectorNumber,
    fileName,
    ...captured,
    ...told,
    ...(recorder.serial === undefined ? {} : { recorderSerial: recorder.serial }),
    ...(recorder.collector === undefined ? {} : { collectorNumber: recorder.collector }),
    ...(offset === undefined ? {} : { clockOffsetMs: offset.offsetMs, clockUncertaintyMs: offset.uncertaintyMs }),
  };
  const beside = await readFile(`${path}${sidecar}`, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return parseMetadata(JSON.stringify({ ...metadata, ...(beside === undefined ? {} : sidecarOf(beside, path)) }));
}

/** What it says of the time is said whole: the zone and source of another would be wrong beside it. */
function sidecarOf(text: string, path: string): object {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch (cause) {
    throw new DocksealError("malformed-request", { detail: `${path}${sidecar} is not JSON`, cause });
  }
  if (typeof said !== "object" || said === null || Array.isArray(said)) {
    throw new DocksealError("malformed-request", { detail: `${path}${sidecar} is no JSON object` });
  }
  const own = "capturedAt" in said ? { capturedAtSource: undefined, capturedAtZone: undefined } : {};
  return { ...own, ...said };
}

/** A name that a card could bear and metadata may not is sent with its odd characters replaced: the footage comes first. */
function sendable(name: string): string {
  return [...name]
    .map((character) => (/[\u0020-\u007e\u0080-\u{10ffff}]/u.test(character) && character !== "\\" ? character : "_"))
    .join("")
    .slice(0, 255)
    .toWellFormed();
}
