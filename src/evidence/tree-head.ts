import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { HASH_BYTES } from "./merkle.ts";
import { malformed } from "./refuse.ts";

// The face of the log for programs that speak RFC 6962 §3 and §4. The tree is the one of the checkpoints; what differs is
// how its head is signed: ECDSA P-256 with SHA-256 (RFC 6962 §2.1.4) over a structure of TLS (RFC 5246 §4).

/** A head of the tree, to be signed. */
export interface TreeHead {
  /** Milliseconds since 1970, UTC. */
  readonly timestamp: number;
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

/** TLS HashAlgorithm sha256 and SignatureAlgorithm ecdsa (RFC 5246 §7.4.1.4.1). */
const SHA256_ECDSA = Buffer.of(4, 3);

/** TreeHeadSignature (RFC 6962 §3.5): version v1, signature type tree_hash, then the head. */
function treeHeadBytes({ timestamp, size, root }: TreeHead): Buffer {
  if (root.length !== HASH_BYTES) throw malformed("tree head: the root is not 32 bytes");
  const head = Buffer.alloc(18);
  head.writeUInt8(0, 0);
  head.writeUInt8(1, 1);
  head.writeBigUInt64BE(BigInt(timestamp), 2);
  head.writeBigUInt64BE(BigInt(size), 10);
  return Buffer.concat([head, root]);
}

/** DigitallySigned over the head (RFC 5246 §4.7): what `tree_head_signature` is the base64 of. @param key ECDSA P-256. */
export function signTreeHead(head: TreeHead, key: KeyObject): Buffer {
  const signature = sign("sha256", treeHeadBytes(head), key);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(signature.length);
  return Buffer.concat([SHA256_ECDSA, length, signature]);
}

/** Is it the signature of that key over that head? @param signed DigitallySigned. @param key ECDSA P-256. */
export function treeHeadSignatureHolds(head: TreeHead, signed: Uint8Array, key: KeyObject): boolean {
  const bytes = Buffer.from(signed);
  if (!bytes.subarray(0, 2).equals(SHA256_ECDSA) || bytes.length < 4) return false;
  const signature = bytes.subarray(4);
  return bytes.readUInt16BE(2) === signature.length && verify("sha256", treeHeadBytes(head), key, signature);
}

/** Log ID (RFC 6962 §3.2): SHA-256 of the key's SubjectPublicKeyInfo in DER. @param key public or private. */
export function ctLogId(key: KeyObject): Buffer {
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return createHash("sha256")
    .update(publicKey.export({ format: "der", type: "spki" }))
    .digest();
}
