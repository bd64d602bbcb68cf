import { once } from "node:events";
import { type Pack, pack } from "tar-stream";
import { DocksealError } from "#kernel";
import type { BagFile, BagSink } from "./sink.ts";

/** What the size field of a ustar header holds in octal: one byte less than 8 GiB. */
const largestOctal = 8 * 1024 ** 3 - 1;

/**
 * Writes a bag as a tar (POSIX pax where a name is long or not ASCII, and beyond 8 GiB) with one folder at its top, as
 * RFC 8493 §4 asks of a serialized bag. The tar is read from {@link stream} while it is written: nothing of it is kept.
 */
export class TarSink implements BagSink {
  readonly #pack: Pack = pack();
  readonly #folder: string;
  readonly #at: Date;

  /** @param at the time that every file gets. */
  constructor(folder: string, at: Date) {
    this.#folder = folder;
    this.#at = at;
  }

  /** Can be read once. Ends with an error when the bag did not become whole. */
  get stream(): AsyncIterable<Uint8Array> {
    return this.#pack as AsyncIterable<Uint8Array>;
  }

  async write({ path, sizeBytes, body }: BagFile): Promise<void> {
    const name = `${this.#folder}/${path}`;
    const pax = sizeBytes > largestOctal ? { pax: { size: String(sizeBytes) } } : {};
    const entry = this.#pack.entry({ name, size: sizeBytes, mtime: this.#at, ...pax });
    const closed = new Promise<void>((resolve, reject) => {
      entry.once("finish", resolve);
      entry.once("error", reject);
      entry.once("close", () => reject(new Error("the tar was given up")));
    });
    closed.catch(() => undefined); // told below, or the failure that ended it is
    let written = 0;
    for await (const chunk of body) {
      written += chunk.byteLength;
      if (written > sizeBytes) break;
      if (!entry.write(chunk)) await Promise.race([once(entry, "drain"), closed]);
    }
    if (written !== sizeBytes) {
      const found = written > sizeBytes ? "more" : String(written);
      throw new DocksealError("length-differs", { detail: `${path}: ${found} bytes instead of ${sizeBytes}` });
    }
    entry.end(undefined);
    await closed;
  }

  finish(): void {
    this.#pack.finalize();
  }

  /** Ends the stream with that reason, so that whoever stores it keeps nothing. */
  fail(reason: unknown): void {
    this.#pack.destroy(reason instanceof Error ? reason : new Error(String(reason)));
  }
}
