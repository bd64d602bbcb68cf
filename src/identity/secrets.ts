import { createHash, randomBytes } from "node:crypto";
import { hash, verify } from "@node-rs/argon2";

/** A secret shown once and stored only as its SHA-256: 256 random bits need no slow hash. */
export interface Secret {
  readonly plain: string;
  readonly digest: Buffer;
}

export function newSecret(prefix: string): Secret {
  const plain = `${prefix}_${randomBytes(32).toString("base64url")}`;
  return { plain, digest: secretDigest(plain) };
}

export function secretDigest(plain: string): Buffer {
  return createHash("sha256").update(plain, "utf8").digest();
}

// @node-rs/argon2 defaults to argon2id; the costs are the first recommendation of RFC 9106 §4 scaled to 64 MiB (second option).
const costs = { memoryCost: 64 * 1024, timeCost: 3, parallelism: 4 };

export function passwordHash(password: string): Promise<string> {
  return hash(password, costs);
}

export function passwordMatches(stored: string, password: string): Promise<boolean> {
  return verify(stored, password);
}
