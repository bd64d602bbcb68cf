import { sql } from "kysely";
import type { Report } from "#custody";
import type { Tx } from "#db";
import type { ClipPage } from "./clip-pages.ts";
import { Comparison } from "./differences.ts";

/** Revisions of bindings against the events that made them, in both directions. */
export async function fsckBindings(tx: Tx, page: ClipPage, report: Report): Promise<void> {
  const rows = await tx
    .selectFrom("binding")
    .selectAll()
    .where("clipId", "in", page.ids)
    .orderBy("id")
    .orderBy("revision")
    .execute();
  const byClip = Map.groupBy(rows, ({ clipId }) => clipId);
  for (const clipId of page.ids) {
    const unmatched = new Map((byClip.get(clipId) ?? []).map((row) => [`${row.id} revision ${row.revision}`, row]));
    for (const event of page.events(clipId, "clip.bound", "clip.rebound", "clip.unbound")) {
      const { id, revision, actor: _actor, ...said } = event.details;
      const subject = `${String(id)} revision ${String(revision)}`;
      const compared = new Comparison(report, "binding", subject);
      const row = unmatched.get(subject);
      if (row === undefined) compared.differs(`the log says ${event.type}, and there is no such revision`);
      else compared.members({ ...row }, { ...said, caseId: event.caseId, madeBy: event.actor }, event.type);
      unmatched.delete(subject);
    }
    for (const subject of unmatched.keys()) {
      report({ kind: "binding", subject, detail: "the log does not say that it was made" });
    }
  }
  await fsckBound(tx, page, report);
}

/** What clips say of their bindings, which lists go by. */
async function fsckBound(tx: Tx, page: ClipPage, report: Report): Promise<void> {
  const { rows } = await sql<{ id: string; bound: boolean }>`
    SELECT id, bound FROM clip WHERE id = ANY (${page.ids}::uuid[]) AND bound <> EXISTS (
      SELECT FROM current_binding WHERE current_binding.clip_id = clip.id AND NOT withdrawn) ORDER BY id`.execute(tx);
  for (const { id, bound } of rows) {
    const detail = bound ? "it counts as bound, and no binding holds" : "it counts as unbound, and a binding holds";
    report({ kind: "binding", subject: `clip ${id}`, detail });
  }
}

/** Cases against the events that opened them. @returns how many there are. */
export async function fsckCases(tx: Tx, report: Report): Promise<{ cases: number }> {
  const { rows } = await sql<{ id: string; detail: string }>`
    SELECT coalesce(case_file.id, event.case_id) AS id, CASE
      WHEN event.id IS NULL THEN 'the log does not say that it was opened'
      WHEN case_file.id IS NULL THEN 'the log says that it was opened, and there is none'
      ELSE 'number or title are not those of case.opened' END AS detail
    FROM case_file FULL JOIN (SELECT * FROM custody_event WHERE type = 'case.opened') AS event ON event.case_id = case_file.id
    WHERE event.id IS NULL OR case_file.id IS NULL
      OR (number, title) IS DISTINCT FROM (details ->> 'number', details ->> 'title')
    ORDER BY 1`.execute(tx);
  for (const { id, detail } of rows) report({ kind: "case", subject: id, detail });
  const { rows: counted } = await sql<{ cases: number }>`SELECT count(*) AS cases FROM case_file`.execute(tx);
  return { cases: counted[0]?.cases ?? 0 };
}
