import { type Database, idCursor, pageOf } from "#db";
import { DocksealError, type Json } from "#kernel";

function summaries(db: Database, organizationId: string) {
  return db
    .selectFrom("recording")
    .innerJoin("recorder", "recorder.id", "recording.recorderId")
    .select(["recording.id", "recording.organizationId", "recorder.serial as recorderSerial"])
    .select(["recording.segmentCount", "recording.beginsAt", "recording.endsAt", "recording.recordedSeconds"])
    .where("recording.organizationId", "=", organizationId);
}

/** Recordings of an organization; those whose first segment arrived last come first. */
export async function listRecordings(
  db: Database,
  of: { organizationId: string; recorderSerial?: string | undefined; cursor?: string | undefined; limit: number },
) {
  let query = summaries(db, of.organizationId)
    .orderBy("recording.id", "desc")
    .limit(of.limit + 1);
  if (of.recorderSerial !== undefined) query = query.where("recorder.serial", "=", of.recorderSerial);
  if (of.cursor !== undefined) query = query.where("recording.id", "<", idCursor(of.cursor));
  return pageOf(await query.execute(), of.limit, ({ id }) => id);
}

/** The recording that a clip is a segment of; undefined for what is none, and until its recorder was looked at. */
export async function recordingOfClip(db: Database, clipId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("recordingSegment")
    .select("recordingId")
    .where("clipId", "=", clipId)
    .executeTakeFirst();
  return row?.recordingId;
}

/**
 * A recording with its segments in order.
 * @param id of the recording, or of any segment: an id that a recording once had stays an address of it.
 * @throws DocksealError `not-found`, also for one of another organization.
 */
export async function recordingDetail(db: Database, id: string, organizationId: string) {
  const recordingId = (await recordingOfClip(db, id)) ?? id;
  const recording = await summaries(db, organizationId).where("recording.id", "=", recordingId).executeTakeFirst();
  if (recording === undefined) throw new DocksealError("not-found", { detail: "No such recording" });
  const rows = await db
    .selectFrom("recordingSegment")
    .innerJoin("clip", "clip.id", "recordingSegment.clipId")
    .select(["clip.id as clipId", "clip.fileName", "clip.state", "clip.capturedAtRaw", "clip.sizeBytes", "clip.sha256"])
    .select(["recordingSegment.time", "recordingSegment.gapBeforeMs"])
    .select((eb) => [eb.ref("clip.metadata").as("metadata"), eb.ref("clip.mediaFacts").as("mediaFacts")])
    .where("recordingSegment.recordingId", "=", recordingId)
    .orderBy("recordingSegment.position")
    .execute();
  const segments = rows.map(({ metadata, mediaFacts, time, ...rest }) => {
    const { sequence, interruptionReason, durationSeconds } = metadata as Told;
    return {
      ...rest,
      time: time as Json,
      sequence: sequence ?? null,
      durationSeconds: (mediaFacts as Told | null)?.durationSeconds ?? durationSeconds ?? null,
      interruptionReason: interruptionReason ?? null,
    };
  });
  return { ...recording, segments };
}

interface Told {
  readonly sequence?: number;
  readonly interruptionReason?: string;
  readonly durationSeconds?: number;
}
