import { sql } from "kysely";
import { type Database, pageOf } from "#db";
import { DocksealError } from "#kernel";

function recorders(db: Database, organizationId: string) {
  return db
    .selectFrom("recorder")
    .leftJoin("recorderTimeline", "recorderTimeline.recorderId", "recorder.id")
    .select(["recorder.id", "recorder.organizationId", "recorder.serial", "recorder.createdAt as registeredAt"])
    .select(["recorderTimeline.lastArrivalAt", "recorderTimeline.analysedAt"])
    .select(sql<number>`coalesce(recorder_timeline.clip_count, 0)`.as("clipCount"))
    .select(
      sql<number>`(SELECT count(*)::integer FROM recorder_finding
        WHERE recorder_finding.recorder_id = recorder.id AND recorder_finding.state = 'open')`.as("openFindings"),
    )
    .where("recorder.organizationId", "=", organizationId);
}

/** Recorders of an organization, by serial. */
export async function listRecorders(
  db: Database,
  of: { organizationId: string; cursor?: string | undefined; limit: number },
) {
  let query = recorders(db, of.organizationId)
    .orderBy("recorder.serial")
    .limit(of.limit + 1);
  if (of.cursor !== undefined) query = query.where("recorder.serial", ">", of.cursor);
  return pageOf(await query.execute(), of.limit, ({ serial }) => serial);
}

/** Newest manifests that a recorder's page shows. */
const shownManifests = 50;

/**
 * A recorder's page: how its clock was when it was last compared, and the newest manifests of its cards.
 * @throws DocksealError `not-found`, also for one of another organization.
 */
export async function recorderPage(db: Database, serial: string, organizationId: string) {
  const recorder = await recorders(db, organizationId)
    .select("recorderTimeline.lastClock")
    .where("recorder.serial", "=", serial)
    .executeTakeFirst();
  if (recorder === undefined) throw new DocksealError("not-found", { detail: "No such recorder in your organization" });
  const manifests = await db
    .selectFrom("recorderManifest")
    .select(["id", "stationId", "digest", "readAt", "receivedAt", "entryCount"])
    .select(["clockOffsetMs", "clockUncertaintyMs"])
    .where("recorderId", "=", recorder.id)
    .orderBy("receivedAt", "desc")
    .orderBy("id", "desc")
    .limit(shownManifests)
    .execute();
  const { lastClock, ...facts } = recorder;
  return { ...facts, lastClock: lastClock as ShownClock | null, manifests };
}

interface ShownClock {
  readonly at: string;
  readonly offsetMs: number;
  readonly uncertaintyMs: number;
  readonly source: string;
}
