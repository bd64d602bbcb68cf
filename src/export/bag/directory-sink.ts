import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DocksealError, newId } from "#kernel";
import type { BagFile, BagSink } from "./sink.ts";

/** Says whose the folder is while it is written. */
const markName = ".writing";

function failedWith(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

/**
 * Writes a bag as the folder `<out>/<name>`: under the name `<name>.partial` until it is whole and on disk. A process that
 * was killed leaves the partial folder alone, and the next run replaces it.
 */
export class DirectorySink implements BagSink {
  readonly target: string;
  readonly #partial: string;
  readonly #folders = new Set<string>();

  private constructor(target: string) {
    this.target = target;
    this.#partial = `${target}.partial`;
  }

  /** @throws DocksealError `conflict` when the bag exists already, or while another process writes it. */
  static async open(outDir: string, name: string): Promise<DirectorySink> {
    const sink = new DirectorySink(join(outDir, name));
    await mkdir(outDir, { recursive: true });
    await sink.#refuseExisting();
    await sink.#takeFolder();
    return sink;
  }

  async write({ path, sizeBytes, body }: BagFile): Promise<void> {
    const full = join(this.#partial, path);
    await mkdir(dirname(full), { recursive: true });
    for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) this.#folders.add(folder);
    const file = await open(full, "wx");
    try {
      const written = await writeBody(file, body);
      if (written !== sizeBytes) {
        throw new DocksealError("length-differs", { detail: `${path}: ${written} bytes instead of ${sizeBytes}` });
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Makes the bag whole under its own name. */
  async finish(): Promise<void> {
    await rm(join(this.#partial, markName));
    for (const folder of this.#folders) await sync(join(this.#partial, folder));
    await sync(this.#partial);
    await this.#refuseExisting(); // rename would replace an empty folder without a word
    await rename(this.#partial, this.target);
    await sync(dirname(this.target));
  }

  /** Removes what was written of a bag that did not become whole. */
  async abandon(): Promise<void> {
    await rm(this.#partial, { recursive: true, force: true });
  }

  async #refuseExisting(): Promise<void> {
    const exists = await stat(this.target).then(
      () => true,
      (error: unknown) => {
        if (failedWith(error, "ENOENT")) return false;
        throw error;
      },
    );
    if (!exists) return;
    throw new DocksealError("conflict", {
      detail: `${this.target} exists already: move it away or choose another --out`,
    });
  }

  /** Making the folder is what decides between two processes. */
  async #takeFolder(): Promise<void> {
    for (;;) {
      try {
        await mkdir(this.#partial);
        break;
      } catch (error) {
        if (!failedWith(error, "EEXIST")) throw error;
      }
      const owner = await ownerOf(this.#partial);
      if (owner !== undefined) {
        throw new DocksealError("conflict", { detail: `process ${owner} is writing ${this.#partial}` });
      }
      const aside = `${this.#partial}.${newId()}`;
      await rename(this.#partial, aside);
      await rm(aside, { recursive: true });
    }
    await writeFile(join(this.#partial, markName), `${process.pid}\n`);
  }
}

/** Between making the folder and marking it there is only an instant. */
const unmarkedMs = 10_000;

/** The process that writes the folder, when it lives. A folder without a mark is left over, unless it was made just now. */
async function ownerOf(partial: string): Promise<string | undefined> {
  const pid = await readFile(join(partial, markName), "utf8").then(
    (text) => text.trim(),
    (error: unknown) => {
      if (failedWith(error, "ENOENT")) return "";
      throw error;
    },
  );
  if (pid === "") {
    const { mtimeMs } = await stat(partial);
    const empty = (await readdir(partial)).every((name) => name === markName);
    return empty && Date.now() - mtimeMs < unmarkedMs ? "(just begun)" : undefined;
  }
  try {
    process.kill(Number(pid), 0);
    return Number(pid) === process.pid ? undefined : pid;
  } catch (error) {
    if (failedWith(error, "ESRCH")) return undefined;
    return pid; // it lives, and belongs to somebody else
  }
}

async function writeBody(file: FileHandle, body: AsyncIterable<Uint8Array>): Promise<number> {
  let written = 0;
  for await (const chunk of body) {
    await file.writeFile(chunk);
    written += chunk.byteLength;
  }
  return written;
}

async function sync(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
