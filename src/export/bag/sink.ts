/** One file of a bag on its way: the body is read once, to its end, before the next file comes. */
export interface BagFile {
  /** Below the bag's folder, with `/`. */
  readonly path: string;
  /** Exact length in bytes of the body. */
  readonly sizeBytes: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Where a bag is written to: a directory, or a tar on its way into the evidence store. */
export interface BagSink {
  /** @throws DocksealError `length-differs` when the body has another length than announced. */
  write(file: BagFile): Promise<void>;
}
