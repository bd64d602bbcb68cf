import { appendEvent } from "#custody";
import { type Database, inTransaction } from "#db";
import type { PersonActor } from "#identity";
import { newId } from "#kernel";

export type Rendition = "original" | "playback";

/**
 * Notes that a person looks at a clip: one event for a session, clip and rendition, however many ranges a player asks for.
 * A viewing that cannot be noted must not take place: the caller sends nothing when this throws.
 */
export async function noteViewing(
  db: Database,
  clipId: string,
  rendition: Rendition,
  person: PersonActor,
): Promise<void> {
  const known = await db
    .selectFrom("viewing")
    .select("id")
    .where("sessionId", "=", person.sessionId)
    .where("clipId", "=", clipId)
    .where("rendition", "=", rendition)
    .executeTakeFirst();
  if (known !== undefined) return;
  await inTransaction(db, async (tx) => {
    const added = await tx
      .insertInto("viewing")
      .values({ id: newId(), clipId, sessionId: person.sessionId, personId: person.id, rendition })
      .onConflict((conflict) => conflict.columns(["sessionId", "clipId", "rendition"]).doNothing())
      .returning("id")
      .executeTakeFirst();
    if (added === undefined) return;
    await appendEvent(tx, { type: "clip.viewed", clipId, actor: person, details: { viewing: added.id, rendition } });
  });
}
