import { sql } from "kysely";
import type { Tx } from "#db";
import { type Json, newId } from "#kernel";
import { analyse, type RecorderFacts } from "./analyse.ts";
import { type EntryFact, type Found, instantText } from "./facts.ts";
import { limitsOf } from "./limits.ts";
import type { Place } from "./placed.ts";
import type { Recording } from "./segments.ts";

interface Owner {
  readonly recorderId: string;
  readonly organizationId: string;
}

/** Works out a recorder's time line and writes what changed. The caller holds the recorder's row of `recorder_timeline`. */
export async function analyseRecorder(tx: Tx, recorderId: string, nowMs: number): Promise<void> {
  const { organizationId } = await tx
    .selectFrom("recorder")
    .select("organizationId")
    .where("id", "=", recorderId)
    .executeTakeFirstOrThrow();
  const owner = { recorderId, organizationId };
  const facts = await factsOf(tx, recorderId);
  const { limits } = await limitsOf(tx, organizationId);
  const { recordings, findings, nextLookAtMs, lastClock } = analyse(facts, limits, nowMs);
  await writeRecordings(tx, owner, recordings);
  await writeFindings(tx, owner, findings);
  const arrivals = [
    ...facts.clips.map(({ receivedAtMs }) => receivedAtMs),
    ...facts.entries.map(({ listedAtMs }) => listedAtMs),
  ];
  const lastArrivalMs = arrivals.reduce((last, one) => Math.max(last, one), 0);
  await tx
    .updateTable("recorderTimeline")
    .set({
      dueAt: nextLookAtMs === undefined ? null : instantText(nextLookAtMs),
      analysedAt: sql<string>`clock_timestamp()`,
      clipCount: facts.clips.length,
      lastArrivalAt: lastArrivalMs === 0 ? null : instantText(lastArrivalMs),
      lastClock:
        lastClock === undefined
          ? null
          : JSON.stringify({ ...lastClock, at: instantText(lastClock.atMs), atMs: undefined }),
    })
    .where("recorderId", "=", recorderId)
    .executeTakeFirstOrThrow();
}

/** Reads what is known of a recorder. Milliseconds are all that time lines need. */
async function factsOf(tx: Tx, recorderId: string): Promise<RecorderFacts> {
  type Row = Omit<RecorderFacts["clips"][number], "unreadableBytes"> & { unreadableBytes: number | null };
  const { rows: clips } = await sql<{ [K in keyof Row]: Row[K] | null }>`
    SELECT id, kind, file_name, size_bytes, sha256, captured_at_raw,
      floor(extract(epoch FROM received_at) * 1000)::float8 AS received_at_ms,
      metadata ->> 'capturedAtZone' AS captured_at_zone,
      coalesce((media_facts ->> 'durationSeconds')::float8, (metadata ->> 'durationSeconds')::float8) AS duration_seconds,
      (metadata ->> 'sequence')::integer AS sequence,
      (metadata ->> 'clockOffsetMs')::float8 AS clock_offset_ms,
      (metadata ->> 'clockUncertaintyMs')::float8 AS clock_uncertainty_ms,
      metadata ->> 'interruptionReason' AS interruption_reason,
      (SELECT sum((range ->> 'length')::float8) FROM jsonb_array_elements(metadata -> 'unreadableRanges') AS range)
        AS unreadable_bytes
    FROM clip WHERE recorder_id = ${recorderId}::uuid`.execute(tx);
  const { rows: entries } = await sql<{ manifestId: string; entry: Json; listedAtMs: number; clocks: Json }>`
    SELECT manifest_id, entry, floor(extract(epoch FROM received_at) * 1000)::float8 AS listed_at_ms,
      jsonb_strip_nulls(jsonb_build_object('clockOffsetMs', clock_offset_ms, 'clockUncertaintyMs', clock_uncertainty_ms)) AS clocks
    FROM recorder_manifest_entry AS listed JOIN recorder_manifest AS manifest ON manifest.id = listed.manifest_id
    WHERE listed.recorder_id = ${recorderId}::uuid`.execute(tx);
  const clocks = await tx
    .selectFrom("recorderManifest")
    .select(["id as source", "clockOffsetMs as offsetMs", "clockUncertaintyMs as uncertaintyMs"])
    .select(sql<number>`floor(extract(epoch FROM received_at) * 1000)::float8`.as("atMs"))
    .where("recorderId", "=", recorderId)
    .where("clockOffsetMs", "is not", null)
    .execute();
  return {
    clips: clips.map((row) => {
      const told = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
      return { unreadableBytes: 0, ...told } as RecorderFacts["clips"][number];
    }),
    entries: entries.map(({ entry, clocks: its, ...rest }) => {
      return { ...(entry as object), ...(its as object), ...rest } as EntryFact;
    }),
    clocks: clocks.map(({ source, offsetMs, uncertaintyMs, atMs }) => {
      return { source, atMs, offsetMs: offsetMs ?? 0, uncertaintyMs: uncertaintyMs ?? 0 };
    }),
  };
}

/** Rows that are as they should be are left alone. */
async function writeRecordings(tx: Tx, owner: Owner, recordings: readonly Recording[]): Promise<void> {
  const segments = recordings.flatMap(({ id, segments: chain }) =>
    chain.map(({ clip, gapBeforeMs }, position) => ({
      ...{ clip_id: clip.id, recording_id: id, position, gap_before_ms: gapBeforeMs ?? null },
      time: clip.place === undefined ? null : timeOf(clip.place),
    })),
  );
  await sql`DELETE FROM recording_segment WHERE recorder_id = ${owner.recorderId}::uuid
    AND NOT (clip_id = ANY (${segments.map(({ clip_id }) => clip_id)}::uuid[]))`.execute(tx);
  await sql`
    INSERT INTO recording_segment AS known (clip_id, recorder_id, recording_id, position, gap_before_ms, time)
    SELECT clip_id, ${owner.recorderId}::uuid, recording_id, position, gap_before_ms, nullif(time, 'null'::jsonb)
    FROM jsonb_to_recordset(${JSON.stringify(segments)}::jsonb)
      AS segment(clip_id uuid, recording_id uuid, position integer, gap_before_ms bigint, time jsonb)
    ON CONFLICT (clip_id) DO UPDATE SET recording_id = excluded.recording_id, position = excluded.position,
      gap_before_ms = excluded.gap_before_ms, time = excluded.time
    WHERE (known.recording_id, known.position, known.gap_before_ms, known.time)
      IS DISTINCT FROM (excluded.recording_id, excluded.position, excluded.gap_before_ms, excluded.time)`.execute(tx);
  await sql`DELETE FROM recording WHERE recorder_id = ${owner.recorderId}::uuid
    AND NOT (id = ANY (${recordings.map(({ id }) => id)}::uuid[]))`.execute(tx);
  await sql`
    INSERT INTO recording AS known (id, organization_id, recorder_id, segment_count, begins_at, ends_at, recorded_seconds)
    SELECT id, ${owner.organizationId}::uuid, ${owner.recorderId}::uuid, segment_count, begins_at, ends_at, recorded_seconds
    FROM jsonb_to_recordset(${JSON.stringify(recordings.map(summaryOf))}::jsonb)
      AS made(id uuid, segment_count integer, begins_at timestamptz, ends_at timestamptz, recorded_seconds float8)
    ON CONFLICT (id) DO UPDATE SET segment_count = excluded.segment_count, begins_at = excluded.begins_at,
      ends_at = excluded.ends_at, recorded_seconds = excluded.recorded_seconds
    WHERE (known.segment_count, known.begins_at, known.ends_at, known.recorded_seconds)
      IS DISTINCT FROM (excluded.segment_count, excluded.begins_at, excluded.ends_at, excluded.recorded_seconds)`.execute(
    tx,
  );
}

function summaryOf({ id, segments }: Recording): Json {
  const [first, last] = [segments[0]?.clip.place, segments.at(-1)?.clip.place];
  const durations = segments.map(({ clip }) => clip.durationSeconds);
  return {
    id,
    segment_count: segments.length,
    begins_at: first?.scale === "utc" ? instantText(first.startMs) : null,
    ends_at: last?.scale === "utc" && last.endMs !== undefined ? instantText(last.endMs) : null,
    recorded_seconds: durations.includes(undefined)
      ? null
      : durations.reduce<number>((sum, one) => sum + (one ?? 0), 0),
  };
}

/** A place in the form in which it is shown: without a zone, times are the recorder's own and end without one. */
function timeOf(place: Place): Json {
  const told = (ms: number) => (place.scale === "utc" ? instantText(ms) : instantText(ms).slice(0, -1));
  return {
    zoneKnown: place.scale === "utc",
    begins: told(place.startMs),
    ends: place.endMs === undefined ? null : told(place.endMs),
    earliestBegin: instantText(place.earliestMs),
    latestBegin: instantText(place.latestMs),
    clockOffsetMs: place.clockOffsetMs ?? null,
    clockUncertaintyMs: place.clockOffsetMs === undefined ? null : place.clockUncertaintyMs,
  };
}

/**
 * One row a finding, found however often. What is found no more is closed; what comes back, or is other than when it was
 * acknowledged, is open again.
 */
async function writeFindings(tx: Tx, owner: Owner, findings: readonly Found[]): Promise<void> {
  const rows = JSON.stringify(findings.map((found) => ({ id: newId(), ...found })));
  await sql`
    INSERT INTO recorder_finding AS known (id, organization_id, recorder_id, kind, subject, detail, evidence)
    SELECT id, ${owner.organizationId}::uuid, ${owner.recorderId}::uuid, kind, subject, detail, evidence
    FROM jsonb_to_recordset(${rows}::jsonb) AS found(id uuid, kind text, subject text, detail text, evidence jsonb)
    ORDER BY kind, subject
    ON CONFLICT (recorder_id, kind, subject) DO UPDATE SET
      state = CASE WHEN known.state = 'closed' OR known.evidence <> excluded.evidence THEN 'open' ELSE known.state END,
      closed_at = NULL, detail = excluded.detail, evidence = excluded.evidence, last_seen_at = clock_timestamp()
    WHERE known.state = 'closed' OR known.evidence <> excluded.evidence OR known.detail <> excluded.detail
      OR known.last_seen_at < clock_timestamp() - interval '1 hour'`.execute(tx);
  await sql`
    UPDATE recorder_finding AS known SET state = 'closed', closed_at = clock_timestamp()
    WHERE recorder_id = ${owner.recorderId}::uuid AND state <> 'closed' AND NOT EXISTS (
      SELECT FROM jsonb_to_recordset(${rows}::jsonb) AS found(kind text, subject text)
      WHERE found.kind = known.kind AND found.subject = known.subject)`.execute(tx);
}
