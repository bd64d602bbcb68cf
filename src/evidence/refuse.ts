import { DocksealError } from "#kernel";

/** The input is not of its format at all. `detail` names the format and what is wrong, without quoting the input. */
export function malformed(detail: string, cause?: unknown): DocksealError {
  return new DocksealError("malformed-proof", { detail, cause });
}

/** The input is well formed, but what it claims does not hold. */
export function rejected(detail: string): DocksealError {
  return new DocksealError("proof-rejected", { detail });
}
