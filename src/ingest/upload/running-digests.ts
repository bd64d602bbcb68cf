import { Digests, type Figures } from "../digests.ts";

/** Uploads remembered at once: what a thousand stations have under way. Of others the object is read back. */
const MOST = 4096;

/**
 * Digests of uploads that are under way, as far as this process has received them without a gap. They cannot go from
 * process to process; where one is missing the object is read back.
 *
 * An entry is right as long as its length is the upload's acknowledged offset: what was acknowledged never changes.
 */
export class RunningDigests {
  readonly #byUpload = new Map<string, Digests>();

  /**
   * Takes the digests of the first `offsetBytes` out, to be gone on with.
   * @returns undefined when other bytes, or none, went through this process.
   */
  take(uploadId: string, offsetBytes: number, options: { sm3: boolean }): Digests | undefined {
    const digests = this.#byUpload.get(uploadId);
    this.#byUpload.delete(uploadId);
    if (offsetBytes === 0) return new Digests(options);
    return digests?.sizeBytes === offsetBytes ? digests : undefined;
  }

  /** @param digests of everything that is acknowledged now. */
  keep(uploadId: string, digests: Digests): void {
    if (this.#byUpload.size >= MOST) this.#byUpload.delete(this.#byUpload.keys().next().value ?? "");
    this.#byUpload.set(uploadId, digests);
  }

  /** Figures of the whole file, if all of it went through this process. */
  finish(uploadId: string, sizeBytes: number): Figures | undefined {
    const digests = this.#byUpload.get(uploadId);
    this.#byUpload.delete(uploadId);
    return digests?.sizeBytes === sizeBytes ? digests.finish() : undefined;
  }
}

export const runningDigests = new RunningDigests();
