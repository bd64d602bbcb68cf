import type { Report } from "#custody";
import type { Tx } from "#db";
import type { ClipPage } from "./clip-pages.ts";
import { Comparison } from "./differences.ts";

/** What stations wiped, against the events that say so, in both directions. */
export async function fsckWipes(tx: Tx, page: ClipPage, report: Report): Promise<void> {
  const rows = await tx.selectFrom("sourceWipe").selectAll().where("clipId", "in", page.ids).execute();
  const events = new Map(
    page.ids.flatMap((clipId) =>
      page.events(clipId, "clip.source-wiped").map((event) => [event.id, { ...event, clipId }]),
    ),
  );
  for (const row of rows) {
    const compared = new Comparison(report, "source-wipe", `${row.clipId} ${row.fileName}`);
    const event = events.get(row.eventId);
    events.delete(row.eventId);
    if (event === undefined) {
      compared.differs("the log does not say so");
      continue;
    }
    const { station, fileName, wipedAt } = event.details;
    compared.members({ ...row }, { clipId: event.clipId, stationId: station, fileName }, event.type);
    compared.instant("wipedAt", row.wipedAt, wipedAt, event.type);
  }
  for (const { id, clipId, type } of events.values()) {
    report({ kind: "source-wipe", subject: clipId, detail: `the log says ${type} (${id}), and there is no such row` });
  }
}
