import { sql } from "kysely";
import Type from "typebox";
import { appendEvent } from "#custody";
import { type Database, inTransaction, isUniqueViolation, type Tx } from "#db";
import type { PersonActor } from "#identity";
import { canonicalJson, DocksealError } from "#kernel";
import { defaultLimits, type Limits } from "./facts.ts";

const seconds = (description: string, maximum = 31_536_000) => Type.Integer({ minimum: 0, maximum, description });

export const limitsSchema = Type.Object(
  {
    lateAfterSeconds: seconds("From the end of a recording to its arrival; later is a late arrival"),
    settleSeconds: seconds("So long gaps are not reported: what is missing may still be on its way"),
    overlapToleranceSeconds: seconds(
      "So long two clips may cover the same time: recorders keep what came before the button",
    ),
    gapToleranceSeconds: seconds("So long a pause between two segments is none"),
    sameRecordingSeconds: seconds("Segments with consecutive numbers are one recording up to such a pause"),
    clockToleranceSeconds: seconds("The recorder's clock may be off by so much more than at the docking before"),
  },
  { additionalProperties: false },
);

/** What an organization allows now, and how often that was set: 0 means never. */
export async function limitsOf(
  db: Database | Tx,
  organizationId: string,
): Promise<{ limits: Limits; revision: number }> {
  const row = await db
    .selectFrom("recordingLimits")
    .select(["limits", "revision"])
    .where("organizationId", "=", organizationId)
    .orderBy("revision", "desc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined
    ? { limits: defaultLimits, revision: 0 }
    : { limits: { ...defaultLimits, ...(row.limits as Partial<Limits>) }, revision: row.revision };
}

/**
 * Sets what the person's organization allows, as a new revision, and has its recorders looked at again.
 * @throws DocksealError `conflict` when somebody else does so at the same time.
 */
export async function setLimits(db: Database, person: PersonActor, limits: Limits): Promise<{ revision: number }> {
  const { organizationId } = person;
  try {
    return await inTransaction(db, async (tx) => {
      const now = await limitsOf(tx, organizationId);
      if (canonicalJson({ ...now.limits }) === canonicalJson({ ...limits })) return { revision: now.revision };
      const revision = now.revision + 1;
      await tx
        .insertInto("recordingLimits")
        .values({ organizationId, revision, limits: JSON.stringify(limits), setBy: person.id })
        .execute();
      await appendEvent(tx, {
        type: "organization.limits-set",
        subject: { organization: organizationId },
        actor: person,
        details: { revision, limits: { ...limits } },
      });
      await sql`
        UPDATE recorder_timeline SET due_at = clock_timestamp() WHERE recorder_id IN (
          SELECT recorder_id FROM recorder_timeline JOIN recorder ON recorder.id = recorder_id
          WHERE organization_id = ${organizationId}::uuid ORDER BY recorder_id FOR UPDATE OF recorder_timeline)`.execute(
        tx,
      );
      return { revision };
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new DocksealError("conflict", { detail: "The limits were set by somebody else just now", cause: error });
  }
}
