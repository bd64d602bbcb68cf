import { sql } from "kysely";
import type { Report } from "#custody";
import type { Tx } from "#db";
import type { ClipEvent, ClipPage } from "./clip-pages.ts";
import { Comparison } from "./differences.ts";

/** Derivatives, and how a clip can be shown, against what the log says was made of the original. */
export async function fsckDerivatives(tx: Tx, page: ClipPage, report: Report): Promise<void> {
  const rows = await tx.selectFrom("derivative").selectAll().where("clipId", "in", page.ids).orderBy("id").execute();
  const byClip = Map.groupBy(rows, ({ clipId }) => clipId);
  for (const clipId of page.ids) {
    const events = page.events(clipId, "clip.derived", "clip.unplayable");
    const derivatives = byClip.get(clipId) ?? [];
    for (const row of derivatives) checkRow(row, events, new Comparison(report, "derivative", row.id));
    for (const event of events) checkAllThere(event, derivatives, new Comparison(report, "clip", clipId));
  }
  await checkExamined(tx, page, report);
}

interface DerivativeRow {
  readonly id: string;
  readonly role: string;
  readonly sha256: string;
  readonly eventId: string | null;
  readonly revision: number;
  readonly originalSha256: string;
}

/** What an event says of one derivative. Earlier versions told no more than role, digest, size and version of the tool. */
type Made = Readonly<Record<string, unknown>>;

const madeIn = (event: ClipEvent): readonly Made[] => (event.details["derivatives"] ?? []) as readonly Made[];
const revisionOf = (event: ClipEvent): unknown => event.details["revision"] ?? 1;

function checkRow(row: DerivativeRow, events: readonly ClipEvent[], compared: Comparison): void {
  const its = events.filter((event) =>
    row.eventId === null ? revisionOf(event) === row.revision : event.id === row.eventId,
  );
  const made = its.flatMap((event) => madeIn(event).map((one) => ({ event, one })));
  const found = made.find(({ one }) => one["role"] === row.role);
  if (found === undefined) {
    compared.differs(`the log does not say that revision ${row.revision} has a ${row.role}`);
    return;
  }
  const { event, one } = found;
  const { originalSha256 } = event.details;
  compared.members({ ...row }, { ...one, originalSha256, revision: revisionOf(event) }, event.type);
}

function checkAllThere(event: ClipEvent, rows: readonly DerivativeRow[], compared: Comparison): void {
  for (const { role } of madeIn(event)) {
    if (rows.some((row) => row.role === role && row.revision === revisionOf(event))) continue;
    compared.differs(`the log says that revision ${revisionOf(event)} has a ${role}, and there is none`);
  }
}

/** What was found out of a clip last: it says how it can be shown. */
async function checkExamined(tx: Tx, page: ClipPage, report: Report): Promise<void> {
  const { rows } = await sql<Record<string, unknown> & { id: string; said: string | null }>`
    SELECT id, kind, media_type, media_facts, playable, unplayable_reason, metadata ->> 'kind' AS said FROM clip
    WHERE id = ANY (${page.ids}::uuid[]) ORDER BY id`.execute(tx);
  for (const { said, ...row } of rows) {
    const compared = new Comparison(report, "clip", row.id);
    const event = page.events(row.id, "clip.derived", "clip.unplayable").at(-1);
    if (event === undefined) {
      const untold = { mediaFacts: null, playable: null, unplayableReason: null };
      compared.members(row, { kind: said ?? "other", ...untold }, "the log");
      continue;
    }
    const playable = event.type === "clip.derived";
    const reason = event.details["reason"];
    const unplayableReason = playable || reason === "unknown" ? null : reason;
    const examined = (event.details["examined"] ?? {}) as Made;
    compared.members(row, { ...examined, playable, unplayableReason }, event.type);
  }
}
