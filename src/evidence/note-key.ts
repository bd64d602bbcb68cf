import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { decodeBase64 } from "./encoding.ts";
import { malformed } from "./refuse.ts";

// Keys of C2SP signed-note (https://c2sp.org/signed-note) and C2SP tlog-cosignature, in the text forms that
// golang.org/x/mod/sumdb/note made common.

/** "Signature types". A key of one type never checks or makes a signature of the other. */
const TYPE_BYTES = { note: 0x01, cosignature: 0x04 } as const;
/** `note`: Ed25519 over the text. `cosignature`: timestamped Ed25519 of a witness (cosignature.ts). */
export type NoteKeyType = keyof typeof TYPE_BYTES;

/** A key that checks notes: its text form is `<name>+<key id, 8 hex digits>+<base64 of type ‖ 32 bytes>`. */
export interface NoteVerifier {
  readonly type: NoteKeyType;
  readonly name: string;
  /** Key ID, 4 bytes. */
  readonly id: Buffer;
  readonly key: KeyObject;
}

/** A key that signs notes: its text form is `PRIVATE+KEY+<name>+<key id>+<base64 of type ‖ 32-byte seed>`. */
export interface NoteSigner extends NoteVerifier {
  /** Text form of the key that verifies this one's signatures. */
  readonly vkey: string;
}

/**
 * Text forms of a signing key and its verifier key.
 * @param seed 32 secret random bytes (RFC 8032 §5.1.5).
 */
export function noteKeyPair(
  name: string,
  seed: Uint8Array,
  type: NoteKeyType = "note",
): { skey: string; vkey: string } {
  requireName(name);
  if (seed.length !== 32) throw malformed("the seed of a note key has 32 bytes");
  const publicKey = publicBytes(privateKeyOf(seed));
  const id = keyId(name, type, publicKey).toString("hex");
  const encoded = (key: Uint8Array): string => Buffer.of(TYPE_BYTES[type], ...key).toString("base64");
  return { skey: `PRIVATE+KEY+${name}+${id}+${encoded(seed)}`, vkey: `${name}+${id}+${encoded(publicKey)}` };
}

/** @throws DocksealError malformed-proof: not a verifier key, of no known type, or the id is not that of name and key. */
export function parseVkey(vkey: string): NoteVerifier {
  const { type, name, id, bytes } = splitKey(vkey, "verifier key");
  if (!keyId(name, type, bytes).equals(id)) throw malformed("verifier key: its id is not that of its name and key");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") }, format: "jwk" });
  return { type, name, id, key };
}

/** @throws DocksealError malformed-proof; the message never holds the key. */
export function parseSkey(skey: string): NoteSigner {
  const prefix = "PRIVATE+KEY+";
  if (!skey.startsWith(prefix)) throw malformed("signing key: does not begin with PRIVATE+KEY+");
  const { type, name, id, bytes } = splitKey(skey.slice(prefix.length), "signing key");
  const { vkey } = noteKeyPair(name, bytes, type);
  if (!parseVkey(vkey).id.equals(id)) throw malformed("signing key: its id is not that of its name and key");
  return { type, name, id, key: privateKeyOf(bytes), vkey };
}

function splitKey(text: string, what: string): { type: NoteKeyType; name: string; id: Buffer; bytes: Buffer } {
  // base64 may hold "+": only the first two divide
  const [, name, id, encoded] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/s.exec(text) ?? [];
  if (name === undefined || id === undefined || encoded === undefined) throw malformed(`${what}: not of its form`);
  requireName(name);
  const bytes = decodeBase64(encoded, what);
  const type = (["note", "cosignature"] as const).find((known) => TYPE_BYTES[known] === bytes[0]);
  if (bytes.length !== 33 || type === undefined) throw malformed(`${what}: not an Ed25519 key`);
  return { type, name, id: Buffer.from(id, "hex"), bytes: bytes.subarray(1) };
}

export function requireName(name: string): void {
  // "Key names MUST be non-empty and MUST NOT contain any Unicode spaces or plus"; controls are forbidden everywhere
  if (!/^[^+\p{White_Space}\p{Cc}]+$/u.test(name) || !name.isWellFormed()) throw malformed("note: not a key name");
}

function keyId(name: string, type: NoteKeyType, publicKey: Uint8Array): Buffer {
  const hash = createHash("sha256").update(`${name}\n`).update(Buffer.of(TYPE_BYTES[type])).update(publicKey).digest();
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
