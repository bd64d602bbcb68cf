import { DocksealError, isProblem } from "#kernel";

/** Everything a timestamp can fail at; in the error as `extra.check`. */
export type TimestampCheck =
  | "der"
  | "content-type"
  | "version"
  | "one-signer"
  | "signer-certificate"
  | "extended-key-usage"
  | "key-usage"
  | "chain"
  | "certificate-validity"
  | "certificate-authority"
  | "certificate-algorithm"
  | "critical-extension"
  | "signed-attributes"
  | "signing-certificate"
  | "message-digest"
  | "signature-algorithm"
  | "signature"
  | "imprint-algorithm"
  | "imprint"
  | "nonce"
  | "policy"
  | "tsa-name"
  | "time"
  | "renewal"
  | "status";

export function timestampRejected(check: TimestampCheck, detail: string, cause?: unknown): DocksealError {
  return new DocksealError("timestamp-rejected", { detail: `${check}: ${detail}`, extra: { check }, cause });
}

/** Runs a parser; what it finds malformed fails the check `der`. */
export function asDer<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (isProblem(error, "malformed-proof")) throw timestampRejected("der", error.message, error);
    throw error;
  }
}
