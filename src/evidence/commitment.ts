import { createHash } from "node:crypto";
import { canonicalBytes, type Json } from "#kernel";
import type { CustodyLeaf } from "./leaf.ts";
import { exactMembers, hex32, parseCanonical } from "./strict-json.ts";

/** What opens a commitment. Without the salt nobody can guess the details from the log, however few they may be. */
export interface Opening {
  readonly details: Json;
  /** 32 random bytes, 64 hex digits, used once. */
  readonly salt: string;
}

/** Canonical JSON (RFC 8785) of `{ details, salt }`: what the commitment is the SHA-256 of. */
export function encodeOpening({ details, salt }: Opening): Buffer {
  return canonicalBytes({ details, salt: hex32(salt, "opening: `salt`") });
}

/** Strict: exactly these members, in exactly the canonical bytes. */
export function parseOpening(bytes: Uint8Array): Opening {
  const opening = exactMembers(parseCanonical(bytes, "opening"), ["details", "salt"], "opening");
  return { details: opening["details"] as Json, salt: hex32(opening["salt"], "opening: `salt`") };
}

/** The commitment to an event's details, hex. */
export function commit(details: Json, salt: string): string {
  return createHash("sha256").update(encodeOpening({ details, salt })).digest("hex");
}

/** Are these the details that were logged? */
export function openingMatches(leaf: Pick<CustodyLeaf, "commitment">, { details, salt }: Opening): boolean {
  return commit(details, salt) === leaf.commitment;
}
