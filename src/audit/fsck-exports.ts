import { sql } from "kysely";
import type { Report } from "#custody";
import type { Tx } from "#db";

/** Exports that are done against the events that finished them. @returns how many there are. */
export async function fsckExports(tx: Tx, report: Report): Promise<{ exports: number }> {
  // An export by the command line has an event and no row.
  const { rows } = await sql<{ id: string; detail: string }>`
    SELECT coalesce(export.id::text, event.export_id) AS id, CASE
      WHEN event.id IS NULL THEN 'the log does not say that it was exported'
      WHEN export.id IS NULL THEN 'the log says that it was exported, and there is none'
      ELSE 'case, clip or tagManifestSha256 are not those of ' || event.type END AS detail
    FROM (SELECT * FROM export WHERE state = 'done') AS export FULL JOIN (
      SELECT *, details ->> 'exportId' AS export_id FROM custody_event
      WHERE type IN ('case.exported', 'clip.exported')) AS event ON event.export_id = export.id::text
    WHERE event.id IS NULL OR (export.id IS NULL AND event.actor NOT LIKE 'system:%')
      OR (export.id IS NOT NULL AND (export.case_id, export.clip_id, tag_manifest_sha256)
        IS DISTINCT FROM (event.case_id, event.clip_id, details ->> 'tagManifestSha256'))
    ORDER BY 1`.execute(tx);
  for (const { id, detail } of rows) report({ kind: "export", subject: id, detail });
  const { rows: counted } = await sql<{
    exports: number;
  }>`SELECT count(*) AS exports FROM export WHERE state = 'done'`.execute(tx);
  return { exports: counted[0]?.exports ?? 0 };
}
