import { type RawBuilder, sql } from "kysely";
import type { Tx } from "#db";

/** What a run is to read: fixed at its start, so that nothing that happens later adds to it or takes from it. */
export interface Scope {
  /** What was sealed, bound and derived below this size of the log. */
  readonly logSize: number;
  /** Of one organization; null: of all. */
  readonly organizationId: string | null;
  /** Clips that were bound to this case at any time; null: all. */
  readonly caseId: string | null;
  /** Exactly these clips, and their originals alone; null: all, with their derivatives. */
  readonly sample: readonly string[] | null;
}

export const roles = ["original", "playback", "poster", "sprite", "waveform"] as const;
export type ObjectRole = (typeof roles)[number];

/** An object to be read: an original (its id is the clip's) or a derivative. */
export interface AuditObject {
  readonly objectId: string;
  readonly clipId: string;
  readonly role: ObjectRole;
  readonly sizeBytes: number;
}

/** Hands out what a run has to read, in the order of the log from `fromIndex` on. `nextIndex` is where to go on. */
export type Feed = (tx: Tx, scope: Scope, fromIndex: number) => Promise<{ objects: AuditObject[]; nextIndex: number }>;

const feedClips = 200;

/** How much a scope holds. */
export interface Amount {
  readonly count: number;
  readonly bytes: number;
}

/** Which clips belong to the scope, as a condition on `clip`, beside that they are sealed. */
function ofScope({ logSize, organizationId, caseId, sample }: Scope): RawBuilder<unknown> {
  const inCase = sql`EXISTS (
    SELECT FROM custody_event AS bound JOIN log_entry ON log_entry.event_id = bound.id
    WHERE bound.clip_id = clip.id AND bound.case_id = ${caseId}::uuid AND bound.type IN ('clip.bound', 'clip.rebound')
      AND log_entry.index < ${logSize})`;
  return sql.join(
    [
      ...(organizationId === null ? [] : [sql`clip.organization_id = ${organizationId}::uuid`]),
      ...(caseId === null ? [] : [inCase]),
      ...(sample === null ? [] : [sql`clip.id = ANY(${sample}::uuid[])`]),
      sql`true`,
    ],
    sql` AND `,
  );
}

/**
 * Counts a scope from what the tables of clips and derivatives hold: not from the log, which hands out what is read. A
 * clip counts as sealed unless its sealing stands in the log later than the scope, or still waits for its place there: so
 * a clip that the log does not know at all is expected, never read, and noticed.
 */
export async function expectedAmount(
  tx: Tx,
  scope: Scope,
  what: "everything" | "originals" = scope.sample === null ? "everything" : "originals",
): Promise<Amount> {
  const clips = sql`
    SELECT clip.id, clip.size_bytes FROM clip
    WHERE clip.sealed_at IS NOT NULL AND NOT EXISTS (
      SELECT FROM custody_event AS sealed LEFT JOIN log_entry ON log_entry.event_id = sealed.id
      WHERE sealed.clip_id = clip.id AND sealed.type = 'clip.sealed' AND coalesce(log_entry.index >= ${scope.logSize}, true))
      AND ${ofScope(scope)}`;
  const made = what === "everything" ? derivativesOf(sql`(SELECT id FROM clips)`, scope.logSize) : undefined;
  const { rows } = await sql<{ count: number; bytes: string }>`
    WITH clips AS (${clips})
    SELECT count(*) AS count, coalesce(sum(size_bytes), 0)::text AS bytes FROM (
      SELECT size_bytes FROM clips
      ${made === undefined ? sql`` : sql`UNION ALL SELECT size_bytes FROM (${made}) AS made`}
    ) AS objects`.execute(tx);
  return { count: Number(rows[0]?.count), bytes: Number(rows[0]?.bytes) };
}

/** Of each role the newest revision that the log knew. */
function derivativesOf(clips: RawBuilder<unknown>, logSize: number): RawBuilder<unknown> {
  return sql`
    SELECT DISTINCT ON (derivative.clip_id, role) derivative.id, derivative.clip_id, role, size_bytes
    FROM derivative LEFT JOIN log_entry ON log_entry.event_id = derivative.event_id
    WHERE derivative.clip_id IN ${clips} AND (derivative.event_id IS NULL OR log_entry.index < ${logSize})
    ORDER BY derivative.clip_id, role, revision DESC`;
}

/** Goes along the log: every clip that an entry `clip.sealed` names. */
export const feedFromLog: Feed = async (tx, scope, fromIndex) => {
  const { rows: clips } = await sql<{ index: number; clipId: string; sizeBytes: number }>`
    SELECT log_entry.index, clip.id AS clip_id, clip.size_bytes
    FROM log_entry JOIN custody_event ON custody_event.id = log_entry.event_id JOIN clip ON clip.id = custody_event.clip_id
    WHERE custody_event.type = 'clip.sealed' AND log_entry.index >= ${fromIndex} AND log_entry.index < ${scope.logSize}
      AND ${ofScope(scope)}
    ORDER BY log_entry.index LIMIT ${feedClips}`.execute(tx);
  const last = clips.at(-1);
  const nextIndex = clips.length < feedClips || last === undefined ? scope.logSize : last.index + 1;
  const objects: AuditObject[] = clips.map(({ clipId, sizeBytes }) => ({
    objectId: clipId,
    clipId,
    role: "original",
    sizeBytes,
  }));
  if (scope.sample !== null || clips.length === 0) return { objects, nextIndex };
  const ids = clips.map(({ clipId }) => clipId);
  const { rows: made } = await sql<{ id: string; clipId: string; role: ObjectRole; sizeBytes: number }>`
    ${derivativesOf(sql`(SELECT unnest(${ids}::uuid[]))`, scope.logSize)}`.execute(tx);
  objects.push(...made.map(({ id, ...rest }) => ({ objectId: id, ...rest })));
  return { objects, nextIndex };
};
