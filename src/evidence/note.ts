import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { decodeBase64 } from "./encoding.ts";
import { malformed, rejected } from "./refuse.ts";

// C2SP signed-note (https://c2sp.org/signed-note), with the Ed25519 keys and signatures that it defines itself, and
// the text forms of keys that golang.org/x/mod/sumdb/note made common.

/** "Signature types": Ed25519. */
const ED25519 = 0x01;
const EM_DASH = "\u2014";
/** The specification wants at least 16 signatures accepted, and some limit. */
const MAX_SIGNATURES = 100;
const MAX_NOTE_BYTES = 1_000_000;

/** A key that checks notes: its text form is `<name>+<key id, 8 hex digits>+<base64 of 0x01 ‖ 32 bytes>`. */
export interface NoteVerifier {
  readonly name: string;
  /** Key ID, 4 bytes. */
  readonly id: Buffer;
  readonly key: KeyObject;
}

/** A key that signs notes: its text form is `PRIVATE+KEY+<name>+<key id>+<base64 of 0x01 ‖ 32-byte seed>`. */
export interface NoteSigner extends NoteVerifier {
  /** Text form of the key that verifies this one's signatures. */
  readonly vkey: string;
}

export interface NoteSignature {
  readonly name: string;
  readonly id: Buffer;
  readonly signature: Buffer;
}

export interface SignedNote {
  /** The signed text, with its final newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface OpenedNote {
  readonly text: string;
  /** Names of the given keys whose signatures hold, each once. Never empty. */
  readonly verifiedBy: readonly string[];
}

/**
 * Text forms of a signing key and its verifier key.
 * @param seed 32 secret random bytes (RFC 8032 §5.1.5).
 */
export function noteKeyPair(name: string, seed: Uint8Array): { skey: string; vkey: string } {
  requireName(name);
  if (seed.length !== 32) throw malformed("the seed of a note key has 32 bytes");
  const publicKey = publicBytes(privateKeyOf(seed));
  const id = keyId(name, publicKey).toString("hex");
  const encoded = (key: Uint8Array): string => Buffer.of(ED25519, ...key).toString("base64");
  return { skey: `PRIVATE+KEY+${name}+${id}+${encoded(seed)}`, vkey: `${name}+${id}+${encoded(publicKey)}` };
}

/** @throws DocksealError malformed-proof: not a verifier key, not Ed25519, or the id is not that of name and key. */
export function parseVkey(vkey: string): NoteVerifier {
  const { name, id, bytes } = splitKey(vkey, "verifier key");
  if (!keyId(name, bytes).equals(id)) throw malformed("verifier key: its id is not that of its name and key");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") }, format: "jwk" });
  return { name, id, key };
}

/** @throws DocksealError malformed-proof; the message never holds the key. */
export function parseSkey(skey: string): NoteSigner {
  const prefix = "PRIVATE+KEY+";
  if (!skey.startsWith(prefix)) throw malformed("signing key: does not begin with PRIVATE+KEY+");
  const { name, id, bytes } = splitKey(skey.slice(prefix.length), "signing key");
  const { vkey } = noteKeyPair(name, bytes);
  if (!parseVkey(vkey).id.equals(id)) throw malformed("signing key: its id is not that of its name and key");
  return { name, id, key: privateKeyOf(bytes), vkey };
}

/** @param text ends in a newline and holds no other control character. */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  requireText(text);
  const lines = signers.map(({ name, id, key }) => {
    const signature = sign(null, Buffer.from(text), key);
    return `${EM_DASH} ${name} ${Buffer.concat([id, signature]).toString("base64")}\n`;
  });
  const note = `${text}\n${lines.join("")}`;
  parseNote(note);
  return note;
}

/** Takes a note apart without checking any signature: the text must not be believed yet. */
export function parseNote(note: string): SignedNote {
  if (Buffer.byteLength(note) > MAX_NOTE_BYTES) throw malformed("note: too long");
  const blank = note.lastIndexOf("\n\n");
  if (blank === -1 || !note.endsWith("\n")) throw malformed("note: no blank line before the signatures");
  const text = note.slice(0, blank + 1);
  requireText(text);
  const lines = note.slice(blank + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw malformed("note: too many signatures");
  return { text, signatures: lines.map(parseSignature) };
}

/**
 * Checks a note against known keys. Signatures of other keys are passed over, as the specification demands.
 * @param vkeys text forms of the keys to believe.
 * @throws DocksealError malformed-proof (not a note, not a key), proof-rejected (a known key's signature is wrong, or
 *   no known key signed).
 */
export function openNote(note: string, vkeys: readonly string[]): OpenedNote {
  const verifiers = vkeys.map(parseVkey);
  const { text, signatures } = parseNote(note);
  const verifiedBy = new Set<string>();
  for (const { name, id, signature } of signatures) {
    const known = verifiers.find((verifier) => verifier.name === name && verifier.id.equals(id));
    if (known === undefined) continue;
    if (!verify(null, Buffer.from(text), known.key, signature))
      throw rejected(`note: the signature of ${name} is wrong`);
    verifiedBy.add(name);
  }
  if (verifiedBy.size === 0) throw rejected("note: not signed by a key that is known here");
  return { text, verifiedBy: [...verifiedBy] };
}

function parseSignature(line: string): NoteSignature {
  const [dash, name = "", encoded = "", ...rest] = line.split(" ");
  if (dash !== EM_DASH || rest.length > 0) throw malformed("note: a signature line is not of its form");
  requireName(name);
  const bytes = decodeBase64(encoded, "note: a signature");
  if (bytes.length < 5) throw malformed("note: a signature is too short");
  return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

function splitKey(text: string, what: string): { name: string; id: Buffer; bytes: Buffer } {
  // base64 may hold "+": only the first two divide
  const [, name, id, encoded] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/s.exec(text) ?? [];
  if (name === undefined || id === undefined || encoded === undefined) throw malformed(`${what}: not of its form`);
  requireName(name);
  const bytes = decodeBase64(encoded, what);
  if (bytes.length !== 33 || bytes[0] !== ED25519) throw malformed(`${what}: not an Ed25519 key`);
  return { name, id: Buffer.from(id, "hex"), bytes: bytes.subarray(1) };
}

function requireName(name: string): void {
  // "Key names MUST be non-empty and MUST NOT contain any Unicode spaces or plus"; controls are forbidden everywhere
  if (!/^[^+\p{White_Space}\p{Cc}]+$/u.test(name) || !name.isWellFormed()) throw malformed("note: not a key name");
}

function requireText(text: string): void {
  if (!text.endsWith("\n")) throw malformed("note: the text does not end in a newline");
  const control = [...text].some((character) => character < " " && character !== "\n");
  if (control || !text.isWellFormed()) throw malformed("note: the text holds a control character or no Unicode");
}

function keyId(name: string, publicKey: Uint8Array): Buffer {
  const hash = createHash("sha256").update(`${name}\n`).update(Buffer.of(ED25519)).update(publicKey).digest();
  return hash.subarray(0, 4);
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  // PKCS #8 around the seed (RFC 8410 §7): everything before it is constant
  const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
  return createPrivateKey({ key: Buffer.concat([prefix, seed]), format: "der", type: "pkcs8" });
}

function publicBytes(key: KeyObject): Buffer {
  // SubjectPublicKeyInfo (RFC 8410 §4) ends in the 32 bytes of the key
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
}
