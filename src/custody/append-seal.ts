import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import type { Tx } from "#db";
import { encodeHashedRekord, type HashedRekord } from "#evidence";
import { actorName, type SystemActor } from "#identity";
import { newId } from "#kernel";
import { type CustodyEvent, publishedSeal } from "./append.ts";

/**
 * Appends the entry that publishes an original's signature, in the caller's transaction: the same log, tree and
 * checkpoints as everything else, in the words that Sigstore's tools read. Whoever knows the file finds it there.
 * @param details for people who read the chain of custody: nothing but what the entry says, for no commitment covers it.
 * @returns the event's id.
 */
export async function appendPublishedSeal(
  tx: Tx,
  seal: {
    readonly clipId: string;
    readonly actor: SystemActor;
    readonly record: HashedRekord;
    readonly details: CustodyEvent["details"];
  },
): Promise<string> {
  const id = newId();
  await tx
    .insertInto("custodyEvent")
    .values({
      id,
      type: publishedSeal,
      clipId: seal.clipId,
      at: sql<string>`date_trunc('milliseconds', clock_timestamp())`,
      actor: actorName(seal.actor),
      details: JSON.stringify(seal.details),
      // every event has one; here nothing is made of it
      salt: randomBytes(32).toString("hex"),
      leaf: encodeHashedRekord(seal.record),
    })
    .executeTakeFirstOrThrow();
  await tx.insertInto("custodyPending").values({ eventId: id }).executeTakeFirstOrThrow();
  return id;
}
