import { malformed } from "./refuse.ts";

const strictUtf8 = { fatal: true, ignoreBOM: true } as const;

/**
 * Standard base64 (RFC 4648 §4) with padding and zero trailing bits: exactly one text for each byte string, so that
 * no byte of a proof can be changed without a check noticing.
 * @param what names the value in the error.
 */
export function decodeBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw malformed(`${what} is not base64`);
  return bytes;
}

/** UTF-8 without replacement characters; a byte order mark is kept as a character. */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", strictUtf8).decode(bytes);
  } catch (cause) {
    throw malformed(`${what} is not UTF-8`, cause);
  }
}

/** Decimal ASCII without sign or leading zeros, at most 2^53 − 1 (C2SP tlog-checkpoint, tlog-proof). */
export function decodeDecimal(text: string, what: string): number {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw malformed(`${what} is not a decimal number without leading zeros`);
  return value;
}

/** A SHA-256 value in base64, as in checkpoints and proofs. */
export function decodeHash(text: string, what: string): Buffer {
  const hash = decodeBase64(text, what);
  if (hash.length !== 32) throw malformed(`${what} is not a SHA-256 hash`);
  return hash;
}
