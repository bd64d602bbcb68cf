import { createHash } from "node:crypto";
import { ContentDigests } from "#evidence";
import { failed } from "./check-list.ts";
import type { FileFacts } from "./receipt.ts";

/** What a bag is read through: a directory, or whatever else holds one. */
export interface BagReader {
  /** Everything in the bag that is no directory, in any order. */
  list(): AsyncIterable<BagEntry>;
  open(path: string): AsyncIterable<Uint8Array>;
}

export interface BagEntry {
  /** From the bag's folder, with `/` between the parts. */
  readonly path: string;
  /** False for links, devices and the like, which are not opened. */
  readonly isFile: boolean;
}

export interface MeasuredFile extends FileFacts {
  /** Hex. */
  readonly sha512: string;
}

/** Larger than any list, receipt or proof of a bag that is not absurd. */
const MAX_READ_BYTES = 256 * 1024 * 1024;

/** All files of a bag, each read once from end to end; the small ones can be read again. */
export class BagFiles {
  readonly #reader: BagReader;
  readonly #facts: ReadonlyMap<string, MeasuredFile>;
  /** Entries that are no files. */
  readonly others: readonly string[];

  private constructor(reader: BagReader, facts: ReadonlyMap<string, MeasuredFile>, others: readonly string[]) {
    this.#reader = reader;
    this.#facts = facts;
    this.others = others;
  }

  static async measure(reader: BagReader): Promise<BagFiles> {
    const paths: string[] = [];
    const others: string[] = [];
    for await (const { path, isFile } of reader.list()) (isFile ? paths : others).push(path);
    const facts = new Map<string, MeasuredFile>();
    // sorted, so that two runs say the same
    for (const path of paths.sort()) facts.set(path, await measured(reader.open(path)));
    return new BagFiles(reader, facts, others.sort());
  }

  /** All files, or those whose paths begin so; in the order of the paths. */
  all(start = ""): [path: string, facts: MeasuredFile][] {
    return [...this.#facts].filter(([path]) => path.startsWith(start));
  }

  /** Undefined when there is no such file. */
  factsOf(path: string): MeasuredFile | undefined {
    return this.#facts.get(path);
  }

  /**
   * Reads a small file.
   * @returns a function that gives the bytes, or fails the check that asks for them: it is missing, too large, or not
   *   what it was when it was measured.
   */
  async read(path: string): Promise<() => Buffer> {
    const facts = this.#facts.get(path);
    const refuse = (why: string) => () => {
      throw failed(`${path} ${why}`);
    };
    if (facts === undefined) return refuse("is missing");
    if (facts.sizeBytes > MAX_READ_BYTES) return refuse("is too large for what it is");
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#reader.open(path)) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    if (createHash("sha256").update(bytes).digest("hex") !== facts.sha256) return refuse("changes while it is read");
    return () => bytes;
  }
}

async function measured(content: AsyncIterable<Uint8Array>): Promise<MeasuredFile> {
  const digests = new ContentDigests();
  const sha512 = createHash("sha512");
  for await (const chunk of content) {
    digests.update(chunk);
    sha512.update(chunk);
  }
  const { sizeBytes, sha256, sm3, chunkRoot } = digests.finish();
  return { sizeBytes, sha256, sm3, chunkRoot, sha512: sha512.digest("hex") };
}
