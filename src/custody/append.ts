import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import type { Tx } from "#db";
import { commit, encodeLeaf } from "#evidence";
import { type Actor, actorName } from "#identity";
import { type Json, newId } from "#kernel";

/** Everything that can happen to a clip, a case or the log itself, in the words of the log. */
export const eventTypes = [
  "clip.received",
  "clip.received-again",
  "clip.hashed",
  "clip.sealed",
  "clip.seal-published",
  "clip.quarantined",
  "clip.timestamp-renewed",
  "clip.derived",
  "clip.unplayable",
  "clip.viewed",
  "clip.verified",
  "clip.fixity-checked",
  "clip.repaired",
  "clip.replicated",
  "clip.source-wiped",
  "clip.exported",
  "clip.export-fetched",
  "case.opened",
  "case.exported",
  "case.export-fetched",
  "clip.bound",
  "clip.rebound",
  "clip.unbound",
  "recorder.manifest-received",
  "recorder.finding-acknowledged",
  "organization.limits-set",
  "station.gateway-key-issued",
  "station.gateway-key-revoked",
  "station.log-received",
  "station.wiped-without-receipt",
  "audit.started",
  "audit.finished",
  "log.key-added",
  "log.key-retired",
] as const;
export type EventType = (typeof eventTypes)[number];
/** The one type of event whose leaf is no custody leaf but a HashedRekord, and is opened by nothing. */
export const publishedSeal = "clip.seal-published" satisfies EventType;

export interface CustodyEvent {
  readonly type: Exclude<EventType, typeof publishedSeal>;
  readonly clipId?: string;
  readonly caseId?: string;
  /** Further subjects of the leaf beside clip and case: kind to UUID, e.g. `{ run: "…" }`. */
  readonly subject?: Readonly<Record<string, string>>;
  readonly actor: Pick<Actor, "type" | "id">;
  /** What exactly happened. May name people: it stays in the database, the leaf holds only a salted commitment to it. */
  readonly details: { readonly [key: string]: Json | undefined };
}

/**
 * Appends an event in the caller's transaction: it exists exactly when the act does. Its place in the log is given
 * later by the sequencer. One statement, so that whoever appends waits for one answer.
 * @returns the event's id.
 */
export async function appendEvent(tx: Tx, event: CustodyEvent): Promise<string> {
  const id = newId();
  const salt = randomBytes(32).toString("hex");
  // Who did it is committed to as well; what the machine does by itself needs no name.
  const who = event.actor.type === "system" ? {} : { actor: actorName(event.actor) };
  const details = withoutUndefined({ ...event.details, ...who });
  const leaf = encodeLeaf({
    v: 1,
    at: unsetTime,
    commitment: commit(details, salt),
    id,
    subject: {
      ...event.subject,
      ...(event.clipId === undefined ? {} : { clip: event.clipId }),
      ...(event.caseId === undefined ? {} : { case: event.caseId }),
    },
    type: event.type,
  }).toString();
  // `at` is the first member of a leaf (RFC 8785 sorts them), and the database's clock is the only one that sets it.
  // The leaf has milliseconds (leaf.ts); the row keeps the same, so that one can be derived from the other.
  const head = `{"at":"`;
  if (!leaf.startsWith(head + unsetTime)) throw new Error("a custody leaf does not begin with its time");
  const tail = leaf.slice(head.length + unsetTime.length);
  await sql`
    SELECT append_custody_event(${id}::uuid, ${event.type}, ${event.clipId ?? null}::uuid, ${event.caseId ?? null}::uuid,
      ${actorName(event.actor)}, ${JSON.stringify(details)}::jsonb, ${salt}, ${head}, ${tail})`.execute(tx);
  return id;
}

/** Stands in a leaf until the database puts its own time there. */
const unsetTime = "1970-01-01T00:00:00.000Z";

/** What the database will give back: JSON without members that are undefined. */
function withoutUndefined(value: { readonly [key: string]: Json | undefined }): { readonly [key: string]: Json } {
  return JSON.parse(JSON.stringify(value)) as { readonly [key: string]: Json };
}
