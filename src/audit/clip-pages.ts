import { sql } from "kysely";
import type { Tx } from "#db";

const clipsAtOnce = 200;

/** What the log says of a clip, in the order of the database's clock. */
export interface ClipEvent {
  readonly id: string;
  readonly type: string;
  readonly at: string;
  readonly actor: string;
  readonly caseId: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Some clips, and what the log says of them. That the events are those of the log is looked at apart. */
export interface ClipPage {
  readonly ids: readonly string[];
  /** Events of a clip of these types, oldest first. */
  events(clipId: string, ...types: readonly string[]): ClipEvent[];
}

/** Types of events that tell of rows; the others tell of what somebody did. */
const telling = [
  "clip.received",
  "clip.hashed",
  "clip.sealed",
  "clip.seal-published",
  "clip.quarantined",
  "clip.timestamp-renewed",
  "clip.repaired",
  "clip.replicated",
  "clip.derived",
  "clip.unplayable",
  "clip.bound",
  "clip.rebound",
  "clip.unbound",
  "clip.source-wiped",
];

/** All clips, page by page. */
export async function* clipPages(tx: Tx): AsyncGenerator<ClipPage> {
  for (let after = "00000000-0000-0000-0000-000000000000", more = true; more; ) {
    const clips = await tx
      .selectFrom("clip")
      .select("id")
      .where("id", ">", after)
      .orderBy("id")
      .limit(clipsAtOnce)
      .execute();
    const ids = clips.map(({ id }) => id);
    if (ids.length > 0) yield pageOf(ids, await eventsOf(tx, ids));
    after = ids.at(-1) ?? after;
    more = ids.length === clipsAtOnce;
  }
}

async function eventsOf(tx: Tx, ids: readonly string[]): Promise<(ClipEvent & { clipId: string })[]> {
  const { rows } = await sql<ClipEvent & { clipId: string }>`
    SELECT id, type, clip_id, case_id, at, actor, details FROM custody_event
    WHERE clip_id = ANY (${ids}::uuid[]) AND type = ANY (${telling}::text[]) ORDER BY at, id`.execute(tx);
  return rows;
}

function pageOf(ids: readonly string[], events: readonly (ClipEvent & { clipId: string })[]): ClipPage {
  const byClip = Map.groupBy(events, ({ clipId }) => clipId);
  return {
    ids,
    events: (clipId, ...types) => (byClip.get(clipId) ?? []).filter(({ type }) => types.includes(type)),
  };
}
