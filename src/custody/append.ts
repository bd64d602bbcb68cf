import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import type { Tx } from "#db";
import { commit, encodeLeaf } from "#evidence";
import { type Actor, actorName } from "#identity";
import { type Json, newId } from "#kernel";

/** Everything that can happen to a clip or a case, in the words of the log. */
export const eventTypes = [
  "clip.received",
  "clip.received-again",
  "clip.hashed",
  "clip.sealed",
  "clip.quarantined",
  "clip.derived",
  "clip.unplayable",
  "clip.viewed",
  "clip.verified",
  "case.opened",
  "clip.bound",
  "clip.rebound",
  "clip.unbound",
] as const;
export type EventType = (typeof eventTypes)[number];

export interface CustodyEvent {
  readonly type: EventType;
  readonly clipId?: string;
  readonly caseId?: string;
  readonly actor: Actor;
  /** What exactly happened. May name people: it stays in the database, the leaf holds only a salted commitment to it. */
  readonly details: { readonly [key: string]: Json | undefined };
}

/**
 * Appends an event in the caller's transaction: it exists exactly when the act does. Its place in the log is given
 * later by the sequencer.
 * @returns the event's id.
 */
export async function appendEvent(tx: Tx, event: CustodyEvent): Promise<string> {
  const id = newId();
  const { rows } = await sql<{ at: string }>`SELECT clock_timestamp() AS at`.execute(tx);
  // The leaf's time has milliseconds (leaf.ts); the row keeps the same, so that one can be derived from the other.
  const at = new Date(rows[0]?.at ?? Number.NaN).toISOString();
  const salt = randomBytes(32).toString("hex");
  // Who did it is committed to as well; what the machine does by itself needs no name.
  const who = event.actor.type === "system" ? {} : { actor: actorName(event.actor) };
  const details = withoutUndefined({ ...event.details, ...who });
  const leaf = encodeLeaf({
    v: 1,
    at,
    commitment: commit(details, salt),
    id,
    subject: {
      ...(event.clipId === undefined ? {} : { clip: event.clipId }),
      ...(event.caseId === undefined ? {} : { case: event.caseId }),
    },
    type: event.type,
  });
  await tx
    .insertInto("custodyEvent")
    .values({
      id,
      type: event.type,
      clipId: event.clipId ?? null,
      caseId: event.caseId ?? null,
      at,
      actor: actorName(event.actor),
      details: JSON.stringify(details),
      salt,
      leaf,
    })
    .executeTakeFirstOrThrow();
  await tx.insertInto("custodyPending").values({ eventId: id }).executeTakeFirstOrThrow();
  return id;
}

/** What the database will give back: JSON without members that are undefined. */
function withoutUndefined(value: { readonly [key: string]: Json | undefined }): { readonly [key: string]: Json } {
  return JSON.parse(JSON.stringify(value)) as { readonly [key: string]: Json };
}
