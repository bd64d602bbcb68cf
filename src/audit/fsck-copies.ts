import type { Report } from "#custody";
import type { Tx } from "#db";
import type { ClipPage } from "./clip-pages.ts";
import { Comparison } from "./differences.ts";

/** Where repairs and replicas of a clip lie, against what the log says of them. */
export async function fsckCopies(tx: Tx, page: ClipPage, report: Report): Promise<void> {
  const repairs = await tx.selectFrom("clipRepair").selectAll().where("clipId", "in", page.ids).execute();
  const replicas = await tx.selectFrom("replicaCopy").selectAll().where("clipId", "in", page.ids).execute();
  const rows = [
    ...repairs.map((row) => ({ ...row, type: "clip.repaired", name: `${row.clipId} generation ${row.generation}` })),
    ...replicas.map((row) => ({ ...row, type: "clip.replicated", name: `${row.clipId} in ${row.location}` })),
  ];
  for (const row of rows) {
    const compared = new Comparison(report, row.type.replace(".", "-"), row.name);
    const event = page.events(row.clipId, row.type).find(({ id }) => id === row.eventId);
    if (event === undefined) {
      compared.differs("the log does not say so");
      continue;
    }
    const { generation, reason, copiedFrom, location, stored } = event.details;
    const { key, versionId } = stored as { key: string; versionId: string };
    const said = { generation, reason, copiedFrom, location, objectKey: key, versionId };
    compared.members({ ...row }, said, row.type);
  }
  const known = new Set(rows.map(({ eventId }) => eventId));
  for (const clipId of page.ids) {
    for (const { id, type } of page.events(clipId, "clip.repaired")) {
      if (known.has(id)) continue;
      report({
        kind: "clip-repaired",
        subject: clipId,
        detail: `the log says ${type} (${id}), and there is no such row`,
      });
    }
  }
}
