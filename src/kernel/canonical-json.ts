import canonicalize from "canonicalize";

/** A value that JSON can carry without loss. Numbers must be safe integers or finite doubles (RFC 8785 §3.2.2.3). */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * The canonical form of a JSON value (RFC 8785, JSON Canonicalization Scheme), as a string.
 * Members that are `undefined` are left out.
 * @throws Error when the value holds something that JSON cannot carry (NaN, Infinity, a lone surrogate).
 */
export function canonicalJson(value: Json): string {
  const text = canonicalize(value);
  if (text === undefined) throw new Error("canonical JSON of undefined does not exist");
  return text;
}

/** UTF-8 bytes of {@link canonicalJson}: what is hashed, signed or put into a leaf. */
export function canonicalBytes(value: Json): Buffer {
  return Buffer.from(canonicalJson(value), "utf8");
}
