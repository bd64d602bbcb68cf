import { statfs } from "node:fs/promises";
import { DocksealError } from "#kernel";

/** Kept free at least: a hundredth of the disk, at most this. A database beside the store needs room to say that it is full. */
const MOST_KEPT_FREE_BYTES = 1024 ** 3;

/**
 * What is free on a disk, less what was promised: to puts under way, which this process counts, and to resumable
 * uploads, which the database counts for all processes. So what will not fit is refused before a byte of it is read,
 * and not in its last gigabyte. What a put has written already counts twice until it ends: an upload too many is refused
 * rather than all of them cut off.
 */
export class DiskBudget {
  readonly #directory: string;
  #promisedBytes = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * @param bytes announced length; 0 when it is not known.
   * @param elsewhere bytes promised by whom this process does not count.
   * @returns gives the promise back: what was written meanwhile the disk itself counts.
   * @throws DocksealError `store-full`.
   */
  async promise(bytes: number, elsewhere: () => Promise<number> = async () => 0): Promise<() => void> {
    // Promised first and looked at then: of two that come at once each sees the other.
    this.#promisedBytes += bytes;
    const giveBack = (): void => {
      this.#promisedBytes -= bytes;
    };
    try {
      // Before the disk: bytes that arrive between the two count twice, not never.
      const elsewhereBytes = await elsewhere();
      const { bsize, bavail, blocks } = await statfs(this.#directory);
      const keptFreeBytes = Math.min(MOST_KEPT_FREE_BYTES, (blocks * bsize) / 100);
      const leftBytes = bavail * bsize - keptFreeBytes - elsewhereBytes - (this.#promisedBytes - bytes);
      if (bytes > leftBytes) {
        const left = Math.max(0, Math.floor(leftBytes));
        throw new DocksealError("store-full", { detail: `${bytes} bytes are needed, ${left} can be promised` });
      }
    } catch (error) {
      giveBack();
      throw error;
    }
    return giveBack;
  }
}
