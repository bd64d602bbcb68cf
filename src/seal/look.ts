import { isProblem } from "#kernel";
import type { ObjectRef } from "#store";
import type { StoredDigests } from "./hash-thread.ts";
import { readBack } from "./read-back.ts";

/** What stored bytes must be; null: not known, not compared. */
export interface ExpectedDigests {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly sm3: string | null;
  readonly chunkRoot: string | null;
}

export function fits(found: StoredDigests, expected: ExpectedDigests): boolean {
  return (
    found.sizeBytes === expected.sizeBytes &&
    found.sha256 === expected.sha256 &&
    (expected.sm3 === null || found.sm3 === expected.sm3) &&
    (expected.chunkRoot === null || found.chunkRoot === expected.chunkRoot)
  );
}

/**
 * Reads a stored version whole and compares. A fault on the way is not a fault of what is stored: what differs or is
 * missing is looked at a second time, and only that look counts.
 * @param options `onSecondLook` is told when that begins.
 * @returns `found` null when the object is gone.
 * @throws DocksealError `store-unavailable`: nothing is known then.
 */
export async function lookAtStored(
  storeUrl: string,
  ref: ObjectRef,
  expected: ExpectedDigests,
  options: Parameters<typeof readBack>[2] & { onSecondLook?: () => void },
): Promise<{ intact: boolean; found: StoredDigests | null }> {
  const look = (): Promise<StoredDigests | null> =>
    readBack(storeUrl, ref, options).catch((error: unknown) => {
      if (isProblem(error, "object-missing")) return null;
      throw error;
    });
  let found = await look();
  if (found === null || !fits(found, expected)) {
    options.onSecondLook?.();
    found = await look();
  }
  return { intact: found !== null && fits(found, expected), found };
}
