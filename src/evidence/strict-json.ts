import { canonicalBytes, type Json } from "#kernel";
import { decodeUtf8 } from "./encoding.ts";
import { malformed } from "./refuse.ts";

/** Where a value is and what it must be, for the error: "seal manifest: `sizeBytes`". */
type Where = string;
type Members = Readonly<Record<string, unknown>>;

/** Parses JSON text; no rule about white space or the order of members. */
export function parseJson(text: string, what: Where): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(`${what} is not JSON`, cause);
  }
}

/**
 * Parses JSON text in which no member stands twice, of which another reader might see the other one, and every number
 * is written as JSON.stringify does. White space and escapes are free.
 */
export function parseJsonOnce(text: string, what: Where): unknown {
  const value = parseJson(text, what);
  const plain = text.replace(/"(?:[^"\\]|\\.)*"|\s+/g, (token) =>
    token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : "",
  );
  if (plain !== JSON.stringify(value))
    throw malformed(`${what}: a member stands there twice, or a number in another form`);
  return value;
}

/**
 * Parses bytes that must be the canonical form (RFC 8785) of what they say. Duplicate members, other orders, other
 * number forms and trailing bytes are refused, because one value has exactly one encoding.
 */
export function parseCanonical(bytes: Uint8Array, what: Where): Json {
  const value = parseJson(decodeUtf8(bytes, what), what) as Json;
  if (!canonicalForm(value, what).equals(bytes)) throw malformed(`${what} is not canonical JSON (RFC 8785)`);
  return value;
}

function canonicalForm(value: Json, what: Where): Buffer {
  try {
    return canonicalBytes(value);
  } catch (cause) {
    // JSON.parse lets lone surrogates through ("\ud800"), which have no UTF-8 and so no canonical form
    throw malformed(`${what} has no canonical form`, cause);
  }
}

/** An object with exactly these members, none missing and none more. */
export function exactMembers(value: unknown, names: readonly string[], what: Where): Members {
  const members = anyMembers(value, what);
  const unknown = Object.keys(members).find((name) => !names.includes(name));
  if (unknown !== undefined) throw malformed(`${what} has an unknown member`);
  const missing = names.find((name) => !Object.hasOwn(members, name));
  if (missing !== undefined) throw malformed(`${what} lacks \`${missing}\``);
  return members;
}

/** An object with whatever members. */
export function anyMembers(value: unknown, what: Where): Members {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(`${what} is not an object`);
  return value as Members;
}

export function textMatching(value: unknown, pattern: RegExp, what: Where): string {
  if (typeof value !== "string" || !pattern.test(value)) throw malformed(`${what} is not of its form`);
  return value;
}

/** Text of 1 to `limit` characters without control characters. */
export function shortText(value: unknown, limit: number, what: Where): string {
  const text = textMatching(value, /^[^\p{Cc}]+$/u, what);
  if (text.length > limit || !text.isWellFormed()) throw malformed(`${what} is longer than ${limit} or not Unicode`);
  return text;
}

/** A UUID in lower case (RFC 9562 §4), of any version. */
export function uuid(value: unknown, what: Where): string {
  return textMatching(value, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, what);
}

/** 32 bytes in lower-case hex: SHA-256, SM3, a root or a salt. */
export function hex32(value: unknown, what: Where): string {
  return textMatching(value, /^[0-9a-f]{64}$/, what);
}

/** RFC 3339, UTC, always three digits of milliseconds, a moment that exists: what `Date.toISOString()` gives. */
export function instant(value: unknown, what: Where): string {
  const text = textMatching(value, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, what);
  const time = new Date(text);
  if (Number.isNaN(time.getTime()) || time.toISOString() !== text) throw malformed(`${what} is not a moment`);
  return text;
}

/** A whole number from 0 to 2^53 − 1. */
export function count(value: unknown, what: Where): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw malformed(`${what} is not a count`);
  return value;
}

export function literal<T extends string | number>(value: unknown, expected: T, what: Where): T {
  if (value !== expected) throw malformed(`${what} is not ${JSON.stringify(expected)}`);
  return expected;
}
