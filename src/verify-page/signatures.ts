import { ed25519 } from "@noble/curves/ed25519.js";
import { readAll, TAG } from "#evidence";
import type { KeyKind, KeyObject } from "./public-keys.ts";

// verify of node:crypto answers at once, WebCrypto only later. So a signature that was not looked at yet stops the check
// with a question; the question is put to WebCrypto, and the check begins again, now with the answer. The checks are pure
// and quick, and each question is asked once.

export interface Question {
  /** `sha256` and the like; null for Ed25519, which hashes by its own rule. */
  readonly algorithm: string | null;
  readonly data: Uint8Array;
  readonly key: KeyObject;
  readonly signature: Uint8Array;
}

/** No failure of a check: everything that catches errors of checks lets it through. */
export class OpenQuestion extends Error {
  readonly question: Question;

  constructor(question: Question) {
    super("a signature waits for WebCrypto");
    this.question = question;
  }
}

const answers = new Map<string, boolean>();

/** @throws OpenQuestion when the answer is not known yet. */
export function verify(algorithm: string | null, data: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  const question = { algorithm, data, key, signature };
  const answer = answers.get(nameOf(question));
  if (answer === undefined) throw new OpenQuestion(question);
  return answer;
}

/** Runs a check until no question is open. @param check pure: it is run several times. */
export async function settled<T>(check: () => Promise<T> | T): Promise<T> {
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (!(error instanceof OpenQuestion)) throw error;
      answers.set(nameOf(error.question), await signatureHolds(error.question));
    }
  }
}

function nameOf({ algorithm, data, key, signature }: Question): string {
  return [Buffer.from(algorithm ?? ""), data, key.spki, signature]
    .map((part) => Buffer.from(part).toString("base64"))
    .join(" ");
}

const HASHES: ReadonlyMap<string | null, string> = new Map([
  ["sha1", "SHA-1"],
  ["sha256", "SHA-256"],
  ["sha384", "SHA-384"],
  ["sha512", "SHA-512"],
]);

/** Asks WebCrypto. */
export async function signatureHolds({ algorithm, data, key, signature }: Question): Promise<boolean> {
  const { type, curve } = key.kind;
  if (type === "ed25519") return ed25519Holds({ data, key, signature });
  const hash = HASHES.get(algorithm);
  if (hash === undefined) return false;
  if (type === "rsa") return ask({ name: "RSASSA-PKCS1-v1_5", hash }, { data, key, signature });
  const raw = plainForm(signature, curve);
  if (raw === undefined) return false;
  return ask({ name: "ECDSA", hash, namedCurve: curve as string }, { data, key, signature: raw });
}

type Asked = Omit<Question, "algorithm">;

async function ask(algorithm: { name: string; hash?: string; namedCurve?: string }, asked: Asked): Promise<boolean> {
  const key = await crypto.subtle.importKey("spki", bytesOf(asked.key.spki), algorithm, false, ["verify"]);
  return crypto.subtle.verify(algorithm, key, bytesOf(asked.signature), bytesOf(asked.data));
}

/** Browsers before 2025 do not have it (Web Cryptography Level 2): then a library does the same. */
async function ed25519Holds(asked: Asked): Promise<boolean> {
  if (asked.signature.length !== 64) return false;
  try {
    return await ask({ name: "Ed25519" }, asked);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "NotSupportedError")) throw error;
    return ed25519.verify(asked.signature, asked.data, asked.key.spki.subarray(-32), { zip215: false });
  }
}

/** A copy over memory of its own: WebCrypto takes no views of shared memory. */
function bytesOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

const FIELD_BYTES: Readonly<Record<NonNullable<KeyKind["curve"]>, number>> = { "P-256": 32, "P-384": 48, "P-521": 66 };

/**
 * r and s one after the other, as WebCrypto takes them, out of DER (RFC 3279 §2.2.3). Undefined when it is not DER in its
 * one form, or a number cannot be one of the curve: then no signature holds.
 */
function plainForm(signature: Uint8Array, curve: KeyKind["curve"]): Uint8Array | undefined {
  const size = FIELD_BYTES[curve ?? "P-256"];
  let numbers: bigint[];
  try {
    numbers = readAll(signature, (reader) => reader.enter(TAG.sequence, (pair) => [pair.integer(), pair.integer()]));
  } catch {
    return undefined;
  }
  const hex = numbers.map((number) => number.toString(16).padStart(size * 2, "0"));
  if (numbers.some((number) => number <= 0n) || hex.some((digits) => digits.length > size * 2)) return undefined;
  return Buffer.from(hex.join(""), "hex");
}
