import { appendEvent } from "#custody";
import { type Database, inTransaction } from "#db";
import type { PersonActor } from "#identity";
import { DocksealError, newId } from "#kernel";

export interface Viewing {
  readonly id: string;
  readonly clipId: string;
  readonly purpose: string;
  /** When the purpose was stated; RFC 3339, UTC. */
  readonly startedAt: string;
}

/**
 * Notes that a person views a clip, and what for: one event for a session, clip and purpose, however often it is said.
 * It covers everything of the clip that the session asks for from then on.
 * @param purpose in the person's words; spaces around them do not count.
 * @returns `known`: this session had said the same of this clip before, and nothing was added.
 * @throws DocksealError `malformed-field` for words that are none.
 */
export async function beginViewing(
  db: Database,
  clipId: string,
  purpose: string,
  person: PersonActor,
): Promise<{ viewing: Viewing; known: boolean }> {
  const words = purpose.trim();
  // Half a character of UTF-16 can neither be kept nor committed to.
  if (words === "" || !words.isWellFormed()) {
    const errors = [{ field: "purpose", problem: "must say something, in whole characters" }];
    throw new DocksealError("malformed-field", { extra: { errors } });
  }
  return inTransaction(db, async (tx) => {
    const viewing = await tx
      .insertInto("viewing")
      .values({ id: newId(), clipId, sessionId: person.sessionId, personId: person.id, purpose: words })
      .onConflict((conflict) => conflict.constraint("viewing_once").doNothing())
      .returning(["id", "startedAt"])
      .executeTakeFirst();
    if (viewing !== undefined) {
      const details = { viewing: viewing.id, purpose: words };
      await appendEvent(tx, { type: "clip.viewed", clipId, actor: person, details });
      return { viewing: { ...viewing, clipId, purpose: words }, known: false };
    }
    const first = await tx
      .selectFrom("viewing")
      .select(["id", "startedAt"])
      .where("sessionId", "=", person.sessionId)
      .where("clipId", "=", clipId)
      .where("purpose", "=", words)
      .where("rendition", "is", null)
      .executeTakeFirstOrThrow();
    return { viewing: { ...first, clipId, purpose: words }, known: true };
  });
}

/**
 * What the session said last that it views the clip for.
 * @throws DocksealError `purpose-required` when it said nothing yet: then nothing of the clip may be sent.
 */
export async function requirePurpose(
  db: Database,
  clipId: string,
  person: PersonActor,
): Promise<{ readonly purpose: string }> {
  const stated = await db
    .selectFrom("viewing")
    .select((eb) => eb.ref("purpose").$notNull().as("purpose"))
    .where("sessionId", "=", person.sessionId)
    .where("clipId", "=", clipId)
    .where("purpose", "is not", null)
    .where("rendition", "is", null)
    .orderBy("startedAt", "desc")
    .limit(1)
    .executeTakeFirst();
  if (stated === undefined) throw new DocksealError("purpose-required");
  return stated;
}

/**
 * Notes that the original itself is sent, which is a copy of the evidence: one event for a session, clip and purpose,
 * however many ranges are asked for. What cannot be noted must not take place: the caller sends nothing when this throws.
 * @throws DocksealError `purpose-required`.
 */
export async function noteOriginalRead(db: Database, clipId: string, person: PersonActor): Promise<void> {
  const { purpose } = await requirePurpose(db, clipId, person);
  const rendition = "original";
  const known = await db
    .selectFrom("viewing")
    .select("id")
    .where("sessionId", "=", person.sessionId)
    .where("clipId", "=", clipId)
    .where("purpose", "=", purpose)
    .where("rendition", "=", rendition)
    .executeTakeFirst();
  if (known !== undefined) return;
  await inTransaction(db, async (tx) => {
    const added = await tx
      .insertInto("viewing")
      .values({ id: newId(), clipId, sessionId: person.sessionId, personId: person.id, rendition, purpose })
      .onConflict((conflict) => conflict.constraint("viewing_once").doNothing())
      .returning("id")
      .executeTakeFirst();
    if (added === undefined) return;
    const details = { viewing: added.id, rendition, purpose };
    await appendEvent(tx, { type: "clip.viewed", clipId, actor: person, details });
  });
}
