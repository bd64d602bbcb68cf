import { sql } from "kysely";
import type { Report } from "#custody";
import type { Tx } from "#db";
import type { Json } from "#kernel";
import { manifestDigest } from "#recordings";

/**
 * What stations and people said of recorders against the events that tell of it, in both directions. Recordings and
 * findings follow from that and from clips; they are worked out again and are compared with nothing.
 * @returns how many of each there are.
 */
export async function fsckRecordings(
  tx: Tx,
  report: Report,
): Promise<{ manifests: number; acknowledgements: number; limits: number }> {
  const { rows: manifests } = await sql<Difference>`
    SELECT coalesce(row.id::text, event.details ->> 'digest', event.id::text) AS id, CASE
      WHEN event.id IS NULL THEN 'the log does not say that it came'
      WHEN row.id IS NULL THEN 'the log says that it came, and there is none'
      ELSE 'station, time, clock or number of files are not those of recorder.manifest-received' END AS detail
    FROM (SELECT recorder_manifest.*, serial FROM recorder_manifest JOIN recorder ON recorder.id = recorder_id) AS row
    FULL JOIN (SELECT * FROM custody_event WHERE type = 'recorder.manifest-received') AS event
      ON event.details ->> 'digest' = row.digest AND event.details ->> 'recorderSerial' = row.serial
    WHERE event.id IS NULL OR row.id IS NULL
      OR ('station:' || row.station_id, row.entry_count, row.read_at, row.clock_offset_ms, row.clock_uncertainty_ms,
          jsonb_array_length(row.manifest -> 'entries'))
        IS DISTINCT FROM (event.actor, (event.details ->> 'entryCount')::integer, (event.details ->> 'readAt')::timestamptz,
          (event.details ->> 'clockOffsetMs')::bigint, (event.details ->> 'clockUncertaintyMs')::bigint, row.entry_count)
    ORDER BY 1`.execute(tx);
  for (const { id, detail } of manifests) report({ kind: "recorder-manifest", subject: id, detail });
  await fsckEntries(tx, report);
  const { rows: acknowledgements } = await sql<Difference>`
    SELECT coalesce(row.finding_id::text, event.id::text) AS id, CASE
      WHEN event.id IS NULL THEN 'the log does not say that it was acknowledged'
      WHEN row.event_id IS NULL THEN 'the log says that it was acknowledged, and no row does'
      ELSE 'person or reason are not those of recorder.finding-acknowledged' END AS detail
    FROM finding_acknowledgement AS row
    FULL JOIN (SELECT * FROM custody_event WHERE type = 'recorder.finding-acknowledged') AS event ON event.id = row.event_id
    WHERE event.id IS NULL OR row.event_id IS NULL
      OR ('person:' || row.person_id, row.reason) IS DISTINCT FROM (event.actor, event.details ->> 'reason')
    ORDER BY 1`.execute(tx);
  for (const { id, detail } of acknowledgements) report({ kind: "finding-acknowledgement", subject: id, detail });
  const { rows: limits } = await sql<Difference>`
    SELECT coalesce(row.organization_id::text, event.id::text) AS id, CASE
      WHEN event.id IS NULL THEN 'the log does not say that revision ' || row.revision || ' was set'
      WHEN row.organization_id IS NULL THEN 'the log says that limits were set, and no row does'
      ELSE 'revision ' || row.revision || ' is not what organization.limits-set says' END AS detail
    FROM recording_limits AS row
    FULL JOIN (SELECT *, convert_from(leaf, 'UTF8')::jsonb -> 'subject' ->> 'organization' AS organization
      FROM custody_event WHERE type = 'organization.limits-set') AS event
      ON event.organization = row.organization_id::text AND (event.details ->> 'revision')::integer = row.revision
    WHERE event.id IS NULL OR row.organization_id IS NULL
      OR ('person:' || row.set_by, row.limits) IS DISTINCT FROM (event.actor, event.details -> 'limits')
    ORDER BY 1`.execute(tx);
  for (const { id, detail } of limits) report({ kind: "recording-limits", subject: id, detail });
  const { rows: counted } = await sql<{ manifests: number; acknowledgements: number; limits: number }>`
    SELECT (SELECT count(*) FROM recorder_manifest) AS manifests,
      (SELECT count(*) FROM finding_acknowledgement) AS acknowledgements,
      (SELECT count(*) FROM recording_limits) AS limits`.execute(tx);
  return counted[0] ?? { manifests: 0, acknowledgements: 0, limits: 0 };
}

interface Difference {
  readonly id: string;
  readonly detail: string;
}

/** Manifests are kept whole and file by file; the digest of the whole is what the log holds. */
async function fsckEntries(tx: Tx, report: Report): Promise<void> {
  const differs = (id: string, detail: string) => report({ kind: "recorder-manifest", subject: id, detail });
  let after = "00000000-0000-0000-0000-000000000000";
  for (;;) {
    const rows = await tx
      .selectFrom("recorderManifest")
      .select(["id", "digest", "manifest"])
      .where("id", ">", after)
      .orderBy("id")
      .limit(50)
      .execute();
    for (const { id, digest, manifest } of rows) {
      if (manifestDigest(manifest as Json) !== digest) differs(id, "its text does not have its digest");
    }
    const last = rows.at(-1);
    if (last === undefined) break;
    after = last.id;
  }
  const { rows: unlisted } = await sql<{ id: string }>`
    SELECT DISTINCT manifest.id FROM recorder_manifest AS manifest, jsonb_array_elements(manifest.manifest -> 'entries') AS told
    WHERE NOT EXISTS (SELECT FROM recorder_manifest_entry AS listed
      WHERE listed.recorder_id = manifest.recorder_id AND listed.entry = told)
    UNION SELECT manifest_id FROM recorder_manifest_entry AS listed WHERE NOT EXISTS (
      SELECT FROM recorder_manifest AS manifest, jsonb_array_elements(manifest.manifest -> 'entries') AS told
      WHERE manifest.id = listed.manifest_id AND manifest.recorder_id = listed.recorder_id AND told = listed.entry)
    ORDER BY 1`.execute(tx);
  for (const { id } of unlisted) differs(id, "its files are not those that are listed one by one");
}
