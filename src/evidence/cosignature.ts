import { type KeyObject, sign, verify } from "node:crypto";
import type { NoteSigner } from "./note-key.ts";
import { formatSignature } from "./note-signature.ts";
import { malformed } from "./refuse.ts";

// C2SP tlog-cosignature (https://c2sp.org/tlog-cosignature), the Ed25519 type `cosignature/v1`: a witness states that,
// as of a time, the tree of this checkpoint is the largest one that it saw of the log, and continues what it saw before.

const TIMESTAMP_BYTES = 8;
const SIGNATURE_BYTES = 64;

/**
 * Cosigns a checkpoint.
 * @param text of the checkpoint's note, with its final newline and without signatures.
 * @param signer a key of type `cosignature`.
 * @param time seconds since 1970; not 0, which would be "no time" (C2SP tlog-witness, add-checkpoint).
 * @returns the signature line, with its newline, to be put after those that the note has.
 */
export function cosign(text: string, signer: NoteSigner, time: number): string {
  if (signer.type !== "cosignature") throw malformed("cosignature: the key is of another type");
  if (!isTime(time)) throw malformed("cosignature: the time is not a whole number of seconds since 1970");
  const timestamp = Buffer.alloc(TIMESTAMP_BYTES);
  timestamp.writeBigUInt64BE(BigInt(time));
  return formatSignature(signer, Buffer.concat([timestamp, sign(null, cosignedMessage(text, time), signer.key)]));
}

/**
 * Checks a `timestamped_signature`: 8 bytes of time, big-endian, and the Ed25519 signature.
 * @param bytes of a signature line, after the key id.
 * @returns the time, seconds since 1970; undefined when it is not of its form or does not hold.
 */
export function readCosignature(text: string, key: KeyObject, bytes: Buffer): number | undefined {
  if (bytes.length !== TIMESTAMP_BYTES + SIGNATURE_BYTES) return undefined;
  const time = Number(bytes.readBigUInt64BE());
  if (!isTime(time)) return undefined;
  return verify(null, cosignedMessage(text, time), key, bytes.subarray(TIMESTAMP_BYTES)) ? time : undefined;
}

/** "Ed25519 signed message": a header line, a line with the time, and the whole text of the note. */
function cosignedMessage(text: string, time: number): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
}

/** The specification goes to 2^63 − 1; what a number cannot hold exactly is no time that a witness can mean. */
function isTime(time: number): boolean {
  return Number.isSafeInteger(time) && time > 0;
}
