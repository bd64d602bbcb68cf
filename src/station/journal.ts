import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ContentFacts } from "#evidence";
import { canonicalBytes } from "#kernel";
import { replaceFile } from "./durable.ts";

export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** What makes a file on a card the same file: another content under the same name is another file. */
export interface FileKey {
  readonly recorderSerial: string;
  /** Path below the folder, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Nanoseconds since 1970. */
  readonly modifiedNs: string;
  /** SHA-256 of the first bytes, or `unreadable`. */
  readonly prefix: string;
}

/** How far one file got. Members come in this order. */
export interface Entry {
  readonly file: FileKey;
  /** Id of an upload that was begun. */
  readonly upload?: string;
  /** The card could not be read whole: what could be is in `rescued/<key>`. */
  readonly rescued?: { readonly facts: ContentFacts; readonly unreadableRanges: readonly Range[] };
  /** The server took it. `facts` are this station's own. */
  readonly sent?: {
    readonly clipId: string;
    readonly facts: ContentFacts;
    readonly unreadableRanges?: readonly Range[];
  };
  /** A receipt was verified against `facts` and is on disk under `receipts/`. */
  readonly receipt?: { readonly name: string; readonly verifiedAt: string };
  /** Noted before the file is removed: when. */
  readonly wiping?: string;
  /** The file is gone from the card. */
  readonly wiped?: true;
}

type Patch = { readonly [Name in keyof Entry]?: Entry[Name] | null };

export function keyOf(file: FileKey): string {
  return createHash("sha256")
    .update(canonicalBytes({ ...file }))
    .digest("hex");
}

/**
 * What the station knows of each file, in one file of JSON lines: a line is on disk before the next step is taken, so
 * that a station that is killed or loses power goes on where it was. A line that was cut off by that is a step not taken.
 */
export class Journal {
  readonly #path: string;
  readonly #entries: Map<string, Entry>;
  #file: FileHandle | undefined;
  #lines = 0;
  /** Writes come one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  /** Lines that could not be read when it was opened; the one cut off at the end is not among them. */
  readonly damagedLines: number;

  private constructor(path: string, entries: Map<string, Entry>, damagedLines: number) {
    this.#path = path;
    this.#entries = entries;
    this.damagedLines = damagedLines;
  }

  /** Reads the journal of a state directory and rewrites it without what is over. */
  static async open(stateDir: string): Promise<Journal> {
    await mkdir(stateDir, { recursive: true });
    const path = join(stateDir, "journal.jsonl");
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    const entries = new Map<string, Entry>();
    let damaged = 0;
    // What stands behind the last line feed was cut off.
    for (const line of text.split("\n").slice(0, -1)) {
      const step = stepOf(line);
      if (step === undefined) damaged += 1;
      else apply(entries, step.key, step.patch);
    }
    const journal = new Journal(path, entries, damaged);
    await journal.#rewrite();
    return journal;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** In the order in which files were first seen. */
  entries(): [key: string, entry: Entry][] {
    return [...this.#entries];
  }

  /** Notes a step; on disk when this resolves. A member that is null is forgotten. */
  note(key: string, patch: Patch): Promise<void> {
    return this.#next(async () => {
      await this.#append(`${JSON.stringify({ key, ...patch })}\n`);
      apply(this.#entries, key, patch);
    });
  }

  /** Nothing more will be done for this file. */
  forget(key: string): Promise<void> {
    return this.note(key, { file: null });
  }

  async close(): Promise<void> {
    await this.#next(async () => {
      await this.#file?.close();
      this.#file = undefined;
    });
  }

  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work, work);
    this.#last = done.catch(() => undefined); // whoever asked for it is told
    return done;
  }

  async #append(line: string): Promise<void> {
    // After a failed write, or when most of it is over, it is written anew: nothing is ever appended to half a line.
    if (this.#file === undefined || this.#lines > 4 * this.#entries.size + 1000) await this.#rewrite();
    const file = this.#file;
    try {
      await file?.appendFile(line);
      await file?.datasync();
      this.#lines += 1;
    } catch (error) {
      this.#file = undefined;
      await file?.close();
      throw error;
    }
  }

  async #rewrite(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const lines = [...this.#entries].map(([key, entry]) => `${JSON.stringify({ key, ...entry })}\n`);
    await replaceFile(this.#path, lines.join(""));
    this.#file = await open(this.#path, "a");
    this.#lines = lines.length;
  }
}

function apply(entries: Map<string, Entry>, key: string, patch: Patch): void {
  const merged = Object.fromEntries(
    Object.entries({ ...entries.get(key), ...patch }).filter(([, value]) => value !== null && value !== undefined),
  );
  if ("file" in merged) entries.set(key, merged as unknown as Entry);
  else entries.delete(key);
}

function stepOf(line: string): { key: string; patch: Patch } | undefined {
  try {
    const { key, ...patch } = JSON.parse(line) as { key: unknown };
    return typeof key === "string" ? { key, patch } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
