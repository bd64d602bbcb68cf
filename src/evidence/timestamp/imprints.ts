import { createHash } from "node:crypto";

/** Digests of what is timestamped, 32 bytes each: a token has one of them as its imprint. */
export interface Imprints {
  readonly sha256: Uint8Array;
  /** Without it, only SHA-256 will do. */
  readonly sm3?: Uint8Array;
}

/** Algorithms that an imprint may have. */
export type ImprintAlgorithm = keyof Imprints;

export function imprintsOf(data: Uint8Array): { readonly [A in ImprintAlgorithm]: Buffer } {
  const digest = (algorithm: ImprintAlgorithm): Buffer => createHash(algorithm).update(data).digest();
  return { sha256: digest("sha256"), sm3: digest("sm3") };
}
