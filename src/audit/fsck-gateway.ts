import { sql } from "kysely";
import type { Report } from "#custody";
import type { Tx } from "#db";

/** What stations told through the gateway against the events that say so. @returns how many batches of logs there are. */
export async function fsckGateway(tx: Tx, report: Report): Promise<{ stationLogs: number }> {
  const { rows } = await sql<{ kind: string; id: string; detail: string }>`
    SELECT 'station-log' AS kind, coalesce(log.id::text, event.id::text) AS id, CASE
      WHEN log.id IS NULL THEN 'the log says that it was received, and there is none'
      WHEN event.id IS NULL THEN 'the log does not say that it was received'
      ELSE 'kind, digest or number of records are not those of the log' END AS detail
    FROM (SELECT *, (SELECT count(*) FROM station_log_record WHERE log_id = station_log.id) AS records FROM station_log) AS log
    FULL JOIN (SELECT * FROM custody_event WHERE type = 'station.log-received') AS event ON event.id = log.event_id
    WHERE log.id IS NULL OR event.id IS NULL OR log.record_count <> log.records
      OR (log.kind, log.sha256, log.record_count::text)
        IS DISTINCT FROM (details ->> 'kind', details ->> 'sha256', details ->> 'recordCount')
    UNION ALL
    SELECT 'gateway-wipe', coalesce(wipe.station_id || ' ' || wipe.file_number, event.id::text), CASE
      WHEN wipe.station_id IS NULL THEN 'the log says that a file was deleted without a receipt, and there is no such row'
      WHEN event.id IS NULL THEN 'the log does not say that the file was deleted without a receipt'
      ELSE 'file number or station are not those of the log' END
    FROM (SELECT * FROM gateway_wipe WHERE NOT with_receipt) AS wipe
    FULL JOIN (SELECT * FROM custody_event WHERE type = 'station.wiped-without-receipt') AS event ON event.id = wipe.event_id
    WHERE wipe.station_id IS NULL OR event.id IS NULL
      OR (wipe.file_number, 'station:' || wipe.station_id) IS DISTINCT FROM (details ->> 'fileNumber', event.actor)
    ORDER BY 1, 2`.execute(tx);
  for (const { kind, id, detail } of rows) report({ kind, subject: id, detail });
  const { rows: counted } = await sql<{ stationLogs: number }>`
    SELECT count(*) AS station_logs FROM station_log`.execute(tx);
  return { stationLogs: counted[0]?.stationLogs ?? 0 };
}
