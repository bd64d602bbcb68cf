import { sql } from "kysely";
import type { EventType } from "#custody";
import type { Database } from "#db";

/** What changes a clip in the eyes of whoever looks at a list, by the word of the log for it. */
const changes = {
  "clip.received": "received",
  "clip.hashed": "hashed",
  "clip.sealed": "sealed",
  "clip.quarantined": "quarantined",
  "clip.repaired": "repaired",
  "clip.derived": "playable",
  "clip.unplayable": "unplayable",
  "clip.bound": "bound",
  "clip.rebound": "rebound",
  "clip.unbound": "unbound",
} as const satisfies Partial<Record<EventType, string>>;

export const clipChanges = Object.values(changes);
export type ClipChange = (typeof clipChanges)[number];

/** Something that happened to a clip. */
export interface ClipHappening {
  /** Place in the custody log. */
  readonly index: number;
  readonly clipId: string;
  readonly organizationId: string;
  readonly what: ClipChange;
  /** RFC 3339, UTC. */
  readonly at: string;
}

/**
 * What entries `from` to `to` of the log, the latter not included, say of clips, in their order.
 * @param organizationId only of its clips.
 */
export async function clipHappenings(
  db: Database,
  range: { readonly from: number; readonly to: number },
  organizationId?: string,
): Promise<ClipHappening[]> {
  let query = db
    .selectFrom("logEntry")
    .innerJoin("custodyEvent", "custodyEvent.id", "logEntry.eventId")
    .innerJoin("clip", "clip.id", "custodyEvent.clipId")
    .select(["logEntry.index", "clip.id as clipId", "clip.organizationId", "custodyEvent.at"])
    .select(sql<keyof typeof changes>`custody_event.type`.as("type"))
    .where("logEntry.index", ">=", range.from)
    .where("logEntry.index", "<", range.to)
    .where("custodyEvent.type", "in", Object.keys(changes))
    .orderBy("logEntry.index");
  if (organizationId !== undefined) query = query.where("clip.organizationId", "=", organizationId);
  return (await query.execute()).map(({ type, ...rest }) => ({ ...rest, what: changes[type] }));
}
