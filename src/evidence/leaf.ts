import { canonicalBytes } from "#kernel";
import { malformed } from "./refuse.ts";
import {
  anyMembers,
  exactMembers,
  hex32,
  instant,
  literal,
  parseCanonical,
  textMatching,
  uuid,
} from "./strict-json.ts";

/**
 * One entry of the custody log: that something of a type happened to a subject at a time. No personal data: what else
 * is to be said stands behind the commitment. In the log it is the canonical JSON (RFC 8785) of exactly these members.
 */
export interface CustodyLeaf {
  readonly v: 1;
  /** UUID of the custody event. */
  readonly id: string;
  /** Dotted lower-case words, e.g. `clip.sealed`. */
  readonly type: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
  /** What it happened to: kind to UUID, e.g. `{ clip: "…" }`. At least one. */
  readonly subject: Readonly<Record<string, string>>;
  /** {@link commit} of the event's details, hex. */
  readonly commitment: string;
}

const MEMBERS = ["at", "commitment", "id", "subject", "type", "v"] as const;

/** @throws DocksealError malformed-proof when a member is not of its form. */
export function encodeLeaf(leaf: CustodyLeaf): Buffer {
  return canonicalBytes({ ...leafOf(leaf) });
}

/** Strict: exactly these members, each of its form, in exactly the canonical bytes. */
export function parseLeaf(bytes: Uint8Array): CustodyLeaf {
  return leafOf(parseCanonical(bytes, "entry"));
}

function leafOf(value: unknown): CustodyLeaf {
  const leaf = exactMembers(value, MEMBERS, "entry");
  const subject = Object.entries(anyMembers(leaf["subject"], "entry: `subject`"));
  if (subject.length === 0) throw malformed("entry: `subject` names nothing");
  return {
    v: literal(leaf["v"], 1, "entry: `v`"),
    id: uuid(leaf["id"], "entry: `id`"),
    type: textMatching(leaf["type"], /^(?=.{1,64}$)[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$/, "entry: `type`"),
    at: instant(leaf["at"], "entry: `at`"),
    subject: Object.fromEntries(
      subject.map(([kind, id]) => [
        textMatching(kind, /^[a-z][A-Za-z0-9-]{0,31}$/, "entry: a kind of subject"),
        uuid(id, "entry: a subject"),
      ]),
    ),
    commitment: hex32(leaf["commitment"], "entry: `commitment`"),
  };
}
