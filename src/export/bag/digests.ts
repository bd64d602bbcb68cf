import { createHash } from "node:crypto";

/** What identifies a file of a bag: lower-case hex. */
export interface FileDigests {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly sha512: string;
  /** GB/T 32905. */
  readonly sm3: string;
}

/** Passes the bytes on and takes all digests on the way: a file is read once, however large. */
export function digesting(body: AsyncIterable<Uint8Array>): {
  body: AsyncIterable<Uint8Array>;
  /** To be asked once, when the body is over. */
  finish(): FileDigests;
} {
  const sha256 = createHash("sha256");
  const sha512 = createHash("sha512");
  const sm3 = createHash("sm3");
  let sizeBytes = 0;
  async function* passing(): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      sha256.update(chunk);
      sha512.update(chunk);
      sm3.update(chunk);
      sizeBytes += chunk.byteLength;
      yield chunk;
    }
  }
  return {
    body: passing(),
    finish: () => ({
      sizeBytes,
      sha256: sha256.digest("hex"),
      sha512: sha512.digest("hex"),
      sm3: sm3.digest("hex"),
    }),
  };
}
