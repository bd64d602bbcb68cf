import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { malformed } from "./refuse.ts";

// ECDSA on P-256 over a SHA-256 that is known already: a recording of many gigabytes was hashed when it was read back,
// and a verifier hashes it once for all its digests. Node's crypto and WebCrypto only sign and check bytes that they
// hash themselves, so @noble/curves does it here.

export interface SealKeyFacts {
  /** How Sigstore bundles name the key: base64 of the SHA-256 of its SubjectPublicKeyInfo. */
  readonly hint: string;
  /** SubjectPublicKeyInfo in PEM. */
  readonly publicPem: string;
}

/**
 * @param key private or public, on P-256.
 * @throws DocksealError malformed-proof when it is another kind of key.
 */
export function sealKeyFacts(key: KeyObject): SealKeyFacts {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  pointOf(publicKey);
  const spki = publicKey.export({ format: "der", type: "spki" });
  const hint = createHash("sha256").update(spki).digest("base64");
  return { hint, publicPem: publicKey.export({ format: "pem", type: "spki" }).toString() };
}

/** Reads a public seal key: PEM of a SubjectPublicKeyInfo on P-256. @throws DocksealError malformed-proof. */
export function parseSealKey(pem: string): SealKeyFacts & { readonly key: KeyObject } {
  let key: KeyObject;
  try {
    if (!pem.startsWith("-----BEGIN PUBLIC KEY-----\n")) throw new TypeError("another kind of block");
    key = createPublicKey(pem);
  } catch (cause) {
    throw malformed("seal key: not a public key in PEM", cause);
  }
  return { ...sealKeyFacts(key), key };
}

/**
 * Signs what has this SHA-256. Deterministic (RFC 6979): the same digest gives the same signature.
 * @param sha256 32 bytes.
 * @throws DocksealError malformed-proof when the key is no private one.
 * @returns DER of an ECDSA-Sig-Value (RFC 3279 §2.2.3), as `openssl dgst -sha256 -verify` takes it.
 */
export function signDigest(sha256: Uint8Array, key: KeyObject): Buffer {
  const { d: secret } = key.export({ format: "jwk" });
  if (secret === undefined) throw malformed("seal key: not a private key");
  return Buffer.from(p256.sign(sha256, Buffer.from(secret, "base64url"), { prehash: false, format: "der" }));
}

/** Did this key sign what has this SHA-256? @param signature DER. */
export function digestSignatureHolds(sha256: Uint8Array, signature: Uint8Array, publicKey: KeyObject): boolean {
  // openssl also makes signatures in the upper half, which are no less valid
  const options = { prehash: false, format: "der", lowS: false } as const;
  return p256.verify(signature, sha256, pointOf(publicKey), options);
}

/** The uncompressed point (SEC 1 §2.3.3). */
function pointOf(publicKey: KeyObject): Uint8Array {
  const { crv, x = "", y = "" } = publicKey.export({ format: "jwk" });
  if (crv !== "P-256") throw malformed("seal key: not on the curve P-256");
  return Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
}
