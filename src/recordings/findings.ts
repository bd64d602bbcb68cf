import { appendEvent } from "#custody";
import { type Database, idCursor, inTransaction, pageOf } from "#db";
import type { PersonActor } from "#identity";
import { DocksealError, type Json } from "#kernel";

export const findingStates = ["open", "acknowledged", "closed"] as const;
export type FindingState = (typeof findingStates)[number];

function findings(db: Database, organizationId: string) {
  return db
    .selectFrom("recorderFinding as finding")
    .innerJoin("recorder", "recorder.id", "finding.recorderId")
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom("findingAcknowledgement as said")
          .innerJoin("person", "person.id", "said.personId")
          .select(["said.reason", "said.acknowledgedAt", "person.id as personId", "person.displayName"])
          .whereRef("said.findingId", "=", "finding.id")
          .orderBy("said.acknowledgedAt", "desc")
          .limit(1)
          .as("newest"),
      (join) => join.onTrue(),
    )
    .select(["finding.id", "finding.organizationId", "recorder.serial as recorderSerial", "finding.kind"])
    .select(["finding.state", "finding.detail", "finding.evidence", "finding.firstSeenAt", "finding.lastSeenAt"])
    .select(["finding.closedAt", "newest.reason", "newest.acknowledgedAt", "newest.personId", "newest.displayName"])
    .where("finding.organizationId", "=", organizationId);
}

function shown(row: Awaited<ReturnType<ReturnType<typeof findings>["execute"]>>[number]) {
  const { reason, acknowledgedAt, personId, displayName, evidence, state, ...rest } = row;
  const acknowledgement =
    reason === null || acknowledgedAt === null || personId === null || displayName === null
      ? null
      : { by: { id: personId, name: displayName }, reason, at: acknowledgedAt };
  return { ...rest, state: state as FindingState, evidence: evidence as Json, acknowledgement };
}

/** Findings of an organization's recorders, newest first. */
export async function listFindings(
  db: Database,
  of: {
    organizationId: string;
    state?: FindingState | undefined;
    kind?: string | undefined;
    recorderSerial?: string | undefined;
    cursor?: string | undefined;
    limit: number;
  },
) {
  let query = findings(db, of.organizationId)
    .orderBy("finding.id", "desc")
    .limit(of.limit + 1);
  if (of.state !== undefined) query = query.where("finding.state", "=", of.state);
  if (of.kind !== undefined) query = query.where("finding.kind", "=", of.kind);
  if (of.recorderSerial !== undefined) query = query.where("recorder.serial", "=", of.recorderSerial);
  if (of.cursor !== undefined) query = query.where("finding.id", "<", idCursor(of.cursor));
  return pageOf((await query.execute()).map(shown), of.limit, ({ id }) => id);
}

/** How many findings of an organization's recorders are open, by kind; a kind without any is left out. */
export async function openFindingCounts(db: Database, organizationId: string): Promise<Record<string, number>> {
  const rows = await db
    .selectFrom("recorderFinding")
    .select(({ fn }) => ["kind", fn.countAll<number>().as("count")])
    .where("organizationId", "=", organizationId)
    .where("state", "=", "open")
    .groupBy("kind")
    .orderBy("kind")
    .execute();
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, Number(count)]));
}

/**
 * A person has looked at a finding and says why it may stand. It is open again when what was found changes.
 * @throws DocksealError `not-found`, also for one of another organization; `conflict` when it is not open.
 */
export async function acknowledgeFinding(db: Database, person: PersonActor, wanted: { id: string; reason: string }) {
  const { organizationId } = person;
  await inTransaction(db, async (tx) => {
    const row = await tx
      .selectFrom("recorderFinding")
      .select(["state", "recorderId", "kind", "subject", "evidence"])
      .where("id", "=", wanted.id)
      .where("organizationId", "=", organizationId)
      .forUpdate()
      .executeTakeFirst();
    if (row === undefined) throw new DocksealError("not-found", { detail: "No such finding" });
    const { state, recorderId, ...found } = row;
    if (state !== "open") throw new DocksealError("conflict", { detail: `The finding is ${state}` });
    await tx.updateTable("recorderFinding").set({ state: "acknowledged" }).where("id", "=", wanted.id).execute();
    const eventId = await appendEvent(tx, {
      type: "recorder.finding-acknowledged",
      subject: { recorder: recorderId, finding: wanted.id },
      actor: person,
      details: { ...found, evidence: found.evidence as Json, reason: wanted.reason },
    });
    await tx
      .insertInto("findingAcknowledgement")
      .values({ eventId, findingId: wanted.id, personId: person.id, reason: wanted.reason })
      .execute();
  });
  const row = await findings(db, organizationId).where("finding.id", "=", wanted.id).executeTakeFirstOrThrow();
  return shown(row);
}
