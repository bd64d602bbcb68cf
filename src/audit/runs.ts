import { type SqlBool, sql } from "kysely";
import { type Database, idCursor, pageOf } from "#db";
import { DocksealError } from "#kernel";

/** A run as people see it. */
export type AuditRun = Awaited<ReturnType<ReturnType<typeof runs>["execute"]>>[number];

function runs(db: Database, organizationId: string) {
  return db
    .selectFrom("fixityRun")
    .select(["id", "kind", "state", "caseId", "day", "createdAt", "startedAt", "finishedAt", "dueAt", "logSize"])
    .select(["expectedCount", "expectedBytes", "readCount", "readBytes", "intactCount", "repairedCount"])
    .select(["damagedCount", "missingCount", "unlockedCount", "unreadableCount", "seed", "checkpointSize"])
    .select(["checkpointFixedBy", "failure"])
    .where((eb) => eb.or([eb("organizationId", "is", null), eb("organizationId", "=", organizationId)]));
}

/**
 * Runs over the whole installation and those of an organization, newest first.
 * @returns one page, and the cursor of the next when there is one.
 * @throws DocksealError `malformed-field` for a cursor that is none.
 */
export async function listRuns(
  db: Database,
  of: { organizationId: string; cursor?: string | undefined; limit: number },
): Promise<{ items: AuditRun[]; next?: string }> {
  let query = runs(db, of.organizationId)
    .orderBy("createdAt", "desc")
    .orderBy("id", "desc")
    .limit(of.limit + 1);
  if (of.cursor !== undefined) {
    query = query.where(
      sql<SqlBool>`(created_at, id) < (SELECT created_at, id FROM fixity_run WHERE id = ${idCursor(of.cursor)}::uuid)`,
    );
  }
  return pageOf(await query.execute(), of.limit, ({ id }) => id);
}

/** What is not intact in a run: at most so many are named, the counts of the run tell how many there are. */
const namedFaults = 1000;

/**
 * One run, with what was found wrong in clips of that organization and what a sample was drawn from.
 * @throws DocksealError `not-found`.
 */
export async function runDetail(db: Database, runId: string, organizationId: string) {
  const run = await runs(db, organizationId)
    .select(["checkpointNote", "checkpointProof", "sample"])
    .where("id", "=", runId)
    .executeTakeFirst();
  if (run === undefined) throw new DocksealError("not-found", { detail: "No such audit" });
  const faults = await db
    .selectFrom("fixityItem")
    .innerJoin("clip", "clip.id", "fixityItem.clipId")
    .select(["clipId", "role", "outcome", "reason", "checkedAt"])
    .select(["fixityItem.sha256 as foundSha256", "fixityItem.sizeBytes as foundSizeBytes"])
    .where("runId", "=", runId)
    .where("outcome", "<>", "intact")
    .where("clip.organizationId", "=", organizationId)
    .orderBy("checkedAt")
    .limit(namedFaults)
    .execute();
  const { checkpointNote, checkpointProof, sample, ...rest } = run;
  const drawn =
    checkpointNote === null || checkpointProof === null
      ? null
      : { checkpoint: checkpointNote, proof: checkpointProof.toString("base64"), clips: sample ?? [] };
  return { ...rest, drawn, faults };
}
