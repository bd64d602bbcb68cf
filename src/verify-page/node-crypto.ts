// What the bundler puts in the place of node:crypto: as much of it as verification uses. What signs or makes keys is not in
// the page; should something call it, it says so.

export { createHash, Hash } from "./hashes.ts";
export { createPublicKey, KeyObject } from "./public-keys.ts";
export { verify } from "./signatures.ts";
export { X509Certificate } from "./x509.ts";

function notInThePage(): never {
  throw new Error("the page verifies and does nothing else");
}

export {
  notInThePage as createPrivateKey,
  notInThePage as generateKeyPairSync,
  notInThePage as randomBytes,
  notInThePage as sign,
};
