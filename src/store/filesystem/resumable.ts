import { createReadStream } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DocksealError } from "#kernel";
import { checkKey } from "../key.ts";
import type { MemoryBudget, Reservation } from "../memory-budget.ts";
import type { NewPart, PutResult, ResumableWrite, ResumableWrites, SpaceWanted, WrittenPart } from "../port.ts";
import type { DiskBudget } from "./disk-budget.ts";
import { asProblem, failedWith, makeDirectory, syncDirectory, writeAll } from "./durable.ts";
import * as layout from "./layout.ts";

/** Where the store keeps things, and how it makes an object of a finished directory. */
export interface Place {
  readonly unfinished: string;
  object(key: string): string;
  /** Renames a directory that holds `v-<version id>` to the object. @throws DocksealError `object-exists`. */
  commit(directory: string, key: string): Promise<void>;
}

/** Resumable writes as a directory of part files, which are put together into one file at the end. */
export class FilesystemResumable implements ResumableWrites {
  readonly smallestPartBytes = 1;
  readonly #place: Place;
  readonly #memory: MemoryBudget;
  readonly #disk: DiskBudget;

  constructor(place: Place, budgets: { readonly memory: MemoryBudget; readonly disk: DiskBudget }) {
    this.#place = place;
    this.#memory = budgets.memory;
    this.#disk = budgets.disk;
  }

  reserve(most: number, least: number): Reservation {
    return this.#memory.reserveUpTo(most, least);
  }

  async begin(key: string, space?: SpaceWanted): Promise<string> {
    checkKey(key);
    const writeId = layout.newVersionId();
    await run("start upload", async () => {
      if (space !== undefined) {
        // Given back at once: from here on the caller counts it, for all processes. Twice: the parts, and their copy.
        const giveBack = await this.#disk.promise(2 * space.sizeBytes, space.promisedBytes);
        giveBack();
      }
      await makeDirectory(this.#directory({ key, writeId }));
    });
    return writeId;
  }

  async writePart(write: ResumableWrite, { number, bytes }: NewPart, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const directory = this.#directory(write);
    const etag = layout.newVersionId();
    await run("put part", async () => {
      const handle = await open(join(directory, partFile(number, etag)), "wx", 0o440);
      try {
        await writeAll(handle, [bytes]);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await syncDirectory(directory);
    });
    return etag;
  }

  async holds(write: ResumableWrite, parts: readonly WrittenPart[]): Promise<boolean> {
    try {
      const names = new Set(await readdir(this.#directory(write)));
      return parts.every(({ number, etag }) => names.has(partFile(number, etag)));
    } catch (error) {
      if (failedWith(error, "ENOENT")) return false;
      throw asProblem("list parts", error);
    }
  }

  async complete(
    write: ResumableWrite,
    parts: readonly WrittenPart[],
    sizeBytes: number,
    signal: AbortSignal,
  ): Promise<PutResult> {
    const { key, writeId } = write;
    const directory = this.#directory(write);
    const version = { key, versionId: writeId, sizeBytes };
    await run("complete", async () => {
      if ((await layout.readState(this.#place.object(key)))?.versionId !== writeId) {
        const whole = join(this.#place.unfinished, layout.unfinishedName(key));
        try {
          await makeDirectory(whole);
          await this.#assemble(join(whole, layout.versionFile(writeId)), { directory, parts, sizeBytes, signal });
          await syncDirectory(whole);
          await this.#place.commit(whole, key);
        } catch (error) {
          await rm(whole, { recursive: true, force: true });
          throw error;
        }
      }
      // A write that died here comes by again: its caller completes until the object is evidence.
      await rm(directory, { recursive: true, force: true });
    });
    return version;
  }

  /** Copies the parts into one file: a file that a late writer still holds open never becomes evidence. */
  async #assemble(
    path: string,
    from: { directory: string; parts: readonly WrittenPart[]; sizeBytes: number; signal: AbortSignal },
  ): Promise<void> {
    const handle = await open(path, "wx", 0o440);
    try {
      let bytes = 0;
      for (const { number, etag } of from.parts) {
        const part = createReadStream(join(from.directory, partFile(number, etag)), { highWaterMark: 1024 * 1024 });
        for await (const chunk of part as AsyncIterable<Buffer>) {
          from.signal.throwIfAborted();
          await writeAll(handle, [chunk]);
          bytes += chunk.length;
        }
      }
      if (bytes !== from.sizeBytes) {
        throw new DocksealError("upload-gone", {
          detail: `the parts hold ${bytes} bytes instead of ${from.sizeBytes}`,
        });
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  #directory({ key, writeId }: ResumableWrite): string {
    checkKey(key);
    if (!layout.isVersionId(writeId)) throw new DocksealError("internal", { detail: "no id of a resumable write" });
    return join(this.#place.unfinished, layout.unfinishedName(key, writeId));
  }
}

function partFile(number: number, etag: string): string {
  return `part-${number}-${etag}`;
}

async function run<T>(operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (failedWith(error, "ENOENT")) {
      const detail = "the store does not hold the parts of this upload any more";
      throw new DocksealError("upload-gone", { detail, cause: error });
    }
    throw error instanceof Error && error.name === "AbortError" ? error : asProblem(operation, error);
  }
}
