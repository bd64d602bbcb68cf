import { type FileHandle, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { DocksealError, isProblem } from "#kernel";
import { checkKey, checkPrefix, checkRange } from "../key.ts";
import type { StoreLog } from "../log.ts";
import type { MemoryBudget } from "../memory-budget.ts";
import type {
  EvidenceStore,
  ObjectFacts,
  ObjectRef,
  PutRequest,
  PutResult,
  Retention,
  StoredVersion,
  WormReport,
} from "../port.ts";
import { extended, isHeld, reaches } from "../retention.ts";
import { Source } from "../source.ts";
import type { FilesystemTarget } from "../store-url.ts";
import { DiskBudget } from "./disk-budget.ts";
import { asProblem, createMark, failedWith, makeDirectory, syncDirectory, writeAll } from "./durable.ts";
import { immutableHolds, setImmutable } from "./immutable.ts";
import * as layout from "./layout.ts";
import { FilesystemResumable } from "./resumable.ts";
import { probeFilesystemWorm } from "./worm.ts";

/** Written with one call: each goes through the thread pool. */
const WRITE_BYTES = 512 * 1024;
/** The batch being gathered and the one being written. */
const PUT_BUDGET_BYTES = 1024 * 1024;

interface Settings {
  readonly budget: MemoryBudget;
  readonly log: StoreLog;
  /** Whether a missing directory is created. */
  readonly create: boolean;
  readonly sourceIdleMs: number;
}

/** Evidence in a directory. Several processes of one machine may use it at once. */
export class FilesystemStore implements EvidenceStore {
  readonly kind = "filesystem";
  readonly resumable: FilesystemResumable;
  readonly #directory: string;
  readonly #settings: Settings;
  readonly #immutable: boolean;
  readonly #disk: DiskBudget;

  private constructor(directory: string, settings: Settings, immutable: boolean) {
    this.#directory = directory;
    this.#settings = settings;
    this.#immutable = immutable;
    this.#disk = new DiskBudget(directory);
    this.resumable = new FilesystemResumable(
      {
        unfinished: join(directory, layout.UNFINISHED),
        object: (key) => this.#object(key),
        commit: (unfinished, key) => this.#commit(unfinished, key),
      },
      { memory: settings.budget, disk: this.#disk },
    );
  }

  static async open({ directory, immutable }: FilesystemTarget, settings: Settings): Promise<FilesystemStore> {
    try {
      if (!settings.create) await stat(directory);
      for (const folder of [layout.OBJECTS, layout.UNFINISHED]) await makeDirectory(join(directory, folder));
      const holds = immutable && (await immutableHolds(join(directory, layout.UNFINISHED), settings.log));
      return new FilesystemStore(directory, settings, holds);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new DocksealError("configuration-invalid", { detail: `evidence store ${directory}: ${why}`, cause });
    }
  }

  get location(): string {
    return `file://${this.#directory}`;
  }

  async put(request: PutRequest): Promise<PutResult> {
    const { key, signal, sizeBytes } = request;
    checkKey(key);
    signal.throwIfAborted();
    const { budget, sourceIdleMs, log } = this.#settings;
    const reservation = budget.reserve(PUT_BUDGET_BYTES);
    const unfinished = this.#unfinished(key);
    let giveBack: (() => void) | undefined;
    try {
      giveBack = await this.#run("put", () => this.#disk.promise(sizeBytes ?? 0, request.promisedBytes));
      const source = new Source(request.body, {
        sizeBytes,
        signal,
        idleMs: sourceIdleMs,
        onLateError: (error) => log({ level: "debug", msg: "source failed after its put ended", error }),
      });
      const versionId = await this.#writeUnfinished(unfinished, source);
      signal.throwIfAborted();
      await this.#commit(unfinished, key);
      return { key, versionId, sizeBytes: source.receivedBytes };
    } catch (error) {
      try {
        await this.#removeTree(unfinished);
      } catch (cleanUpError) {
        log({
          level: "warn",
          msg: "a failed put left something in the directory of unfinished ones",
          key,
          error: cleanUpError,
        });
      }
      throw error;
    } finally {
      giveBack?.();
      reservation.release();
    }
  }

  async get(
    ref: ObjectRef,
    options: { range?: { start: number; end: number }; signal?: AbortSignal } = {},
  ): Promise<Readable> {
    checkKey(ref.key);
    checkRange(options.range);
    const { range, signal } = options;
    signal?.throwIfAborted();
    const handle = await this.#openVersion(ref);
    try {
      const { size } = await handle.stat();
      if (range && range.start >= size) {
        throw new DocksealError("range-not-satisfiable", { detail: `the object has ${size} bytes` });
      }
      return handle.createReadStream({ ...range, highWaterMark: 256 * 1024, ...(signal ? { signal } : {}) });
    } catch (error) {
      await handle.close();
      throw asProblem("get", error);
    }
  }

  async stat(ref: ObjectRef): Promise<ObjectFacts | undefined> {
    checkKey(ref.key);
    return this.#run("stat", async () => {
      const state = await layout.readState(this.#object(ref.key));
      if (state?.versionId !== ref.versionId) return undefined;
      const { size, mtime } = await stat(this.#version(ref));
      return { sizeBytes: size, modifiedAt: mtime, retention: state.retention, legalHold: state.legalHold };
    });
  }

  async lock(ref: ObjectRef, until: Date): Promise<Retention> {
    checkKey(ref.key);
    return this.#run("lock", async () => {
      const before = (await this.#state(ref)).retention;
      if (reaches(before, until)) return before;
      const wanted = extended(before, until);
      if (!(wanted.getTime() > Date.now())) {
        throw new DocksealError("internal", { detail: "lock: that moment has passed" });
      }
      await createMark(this.#object(ref.key), layout.retainMark(wanted));
      if (this.#immutable) await setImmutable(this.#version(ref), true);
      const after = (await this.#state(ref)).retention;
      if (!reaches(after, wanted)) throw new Error("the mark is gone");
      return after;
    });
  }

  async setLegalHold(ref: ObjectRef, on: boolean): Promise<void> {
    checkKey(ref.key);
    await this.#run("legal hold", async () => {
      await this.#state(ref);
      if (on) return createMark(this.#object(ref.key), layout.HOLD);
      await rm(join(this.#object(ref.key), layout.HOLD), { force: true });
      await syncDirectory(this.#object(ref.key));
    });
  }

  async remove(ref: ObjectRef): Promise<void> {
    checkKey(ref.key);
    await this.#run("remove", async () => {
      const state = await layout.readState(this.#object(ref.key));
      if (state?.versionId === ref.versionId) await this.#removeObject(ref.key);
    });
  }

  async discard(key: string): Promise<{ versions: number; uploads: number; locked: number }> {
    checkKey(key);
    return this.#run("discard", async () => {
      const removed = { versions: 0, uploads: 0, locked: 0 };
      for (const name of await readdir(join(this.#directory, layout.UNFINISHED))) {
        if (!name.includes("@") || layout.keyOfUnfinished(name) !== key) continue;
        await this.#removeTree(join(this.#directory, layout.UNFINISHED, name));
        removed.uploads++;
      }
      try {
        if (await this.#removeObject(key)) removed.versions++;
      } catch (error) {
        if (!isProblem(error, "object-locked")) throw error;
        removed.locked++;
      }
      return removed;
    });
  }

  async *list(prefix: string): AsyncGenerator<StoredVersion> {
    checkPrefix(prefix);
    for await (const { key } of layout.findObjects(join(this.#directory, layout.OBJECTS), prefix)) {
      const state = await layout.readState(this.#object(key));
      const facts = state && (await this.stat({ key, versionId: state.versionId }));
      if (facts) yield { key, versionId: state.versionId, sizeBytes: facts.sizeBytes, modifiedAt: facts.modifiedAt };
    }
  }

  async *listUnfinished(prefix: string): AsyncGenerator<{ key: string; startedAt: Date }> {
    checkPrefix(prefix);
    const folder = join(this.#directory, layout.UNFINISHED);
    for (const name of await this.#run("list unfinished", () => readdir(folder))) {
      const key = layout.keyOfUnfinished(name);
      if (!name.includes("@") || !key.startsWith(prefix)) continue;
      try {
        yield { key, startedAt: (await stat(join(folder, name))).birthtime };
      } catch (error) {
        if (!failedWith(error, "ENOENT")) throw asProblem("list unfinished", error); // it was finished meanwhile
      }
    }
  }

  probeWorm(): Promise<WormReport> {
    return probeFilesystemWorm(this, (ref) => this.#version(ref));
  }

  async ping(): Promise<void> {
    await this.#run("ping", () => stat(join(this.#directory, layout.OBJECTS)));
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    const { bsize, bavail, blocks } = await this.#run("space", () => statfs(this.#directory));
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  }

  async close(): Promise<void> {
    // Nothing is kept open between calls.
  }

  #object(key: string): string {
    return join(this.#directory, layout.OBJECTS, `${key}@`);
  }

  #version({ key, versionId }: ObjectRef): string {
    return join(this.#object(key), layout.versionFile(versionId));
  }

  #unfinished(key: string): string {
    return join(this.#directory, layout.UNFINISHED, layout.unfinishedName(key));
  }

  async #run<T>(operation: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asProblem(operation, error);
    }
  }

  async #state(ref: ObjectRef): Promise<layout.ObjectState> {
    const state = await layout.readState(this.#object(ref.key));
    if (state?.versionId !== ref.versionId) throw missing(ref);
    return state;
  }

  async #openVersion(ref: ObjectRef): Promise<FileHandle> {
    if (!layout.isVersionId(ref.versionId)) throw missing(ref);
    try {
      return await open(this.#version(ref), "r");
    } catch (error) {
      throw failedWith(error, "ENOENT") ? missing(ref) : asProblem("get", error);
    }
  }

  /** Writes and syncs the bytes where nobody looks for them. Errors of the source come out as they are. */
  async #writeUnfinished(directory: string, source: Source): Promise<string> {
    const versionId = layout.newVersionId();
    const handle = await this.#run("put", async () => {
      await makeDirectory(directory);
      return open(join(directory, layout.versionFile(versionId)), "wx", 0o440);
    });
    try {
      for await (const batch of source.batches(WRITE_BYTES)) await this.#run("put", () => writeAll(handle, batch));
      await this.#run("put", () => handle.sync());
    } finally {
      await handle.close();
    }
    await this.#run("put", () => syncDirectory(directory));
    return versionId;
  }

  async #commit(unfinished: string, key: string): Promise<void> {
    const object = this.#object(key);
    await this.#run("put", async () => {
      await makeDirectory(dirname(object));
      try {
        await rename(unfinished, object);
      } catch (error) {
        if (!failedWith(error, "ENOTEMPTY", "EEXIST")) throw error;
        throw new DocksealError("object-exists", { detail: `the key ${key} is in use`, cause: error });
      }
      await syncDirectory(dirname(object));
    });
  }

  /** @returns whether there was one. @throws DocksealError `object-locked`. */
  async #removeObject(key: string): Promise<boolean> {
    const object = this.#object(key);
    const state = await layout.readState(object);
    if (!state) return false;
    if (isHeld(state)) throw locked(key);
    // Out of everybody's sight first, then looked at again: a lock that came in between is found, and honoured.
    const aside = this.#unfinished(key);
    await rename(object, aside);
    const now = await layout.readState(aside);
    if (now && isHeld(now)) {
      await rename(aside, object);
      throw locked(key);
    }
    await syncDirectory(dirname(object));
    await this.#removeTree(aside);
    return true;
  }

  async #removeTree(directory: string): Promise<void> {
    const state = await layout.readState(directory);
    if (state && this.#immutable) await setImmutable(join(directory, layout.versionFile(state.versionId)), false);
    await rm(directory, { recursive: true, force: true });
    await syncDirectory(dirname(directory));
  }
}

function missing({ key, versionId }: ObjectRef): DocksealError {
  return new DocksealError("object-missing", { detail: `${key} version ${versionId}` });
}

function locked(key: string): DocksealError {
  return new DocksealError("object-locked", { detail: `${key} is retained or held` });
}
