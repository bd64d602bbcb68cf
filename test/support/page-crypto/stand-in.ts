import * as node from "node:crypto";
import * as page from "../../../src/verify-page/node-crypto.ts";

// The page's stand-in for node:crypto as tests use it: what makes keys and signs is Node's, everything that verifies is
// the page's own, except the last step. A signature is looked at by Node, with the key as the page read it, because
// WebCrypto answers too late for tests that ask at once (verify-page-signatures.test.ts compares the two).

export { createPrivateKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
export { createHash, KeyObject, X509Certificate } from "../../../src/verify-page/node-crypto.ts";

/** The public half of a private key is part of making keys. */
export function createPublicKey(key: node.KeyObject | Parameters<typeof page.createPublicKey>[0]): unknown {
  return key instanceof node.KeyObject ? node.createPublicKey(key) : page.createPublicKey(key);
}

export function verify(
  algorithm: string | null,
  data: Uint8Array,
  key: page.KeyObject,
  signature: Uint8Array,
): boolean {
  const spki = { key: key.export({ format: "der", type: "spki" }), format: "der", type: "spki" } as const;
  return node.verify(algorithm, data, node.createPublicKey(spki), signature);
}
