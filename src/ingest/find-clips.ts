import { type RawBuilder, type SqlBool, sql } from "kysely";
import { cursorRefused, type Database, pageOf } from "#db";
import { DocksealError } from "#kernel";
import type { Kind } from "#metadata";
import { type ClipSummary, clipSummaries } from "./clips.ts";

/** Which clips of an organization a list shows: those that fit every member that is given. */
export interface ClipFilter {
  readonly organizationId: string;
  /** Of the station that asks, which sees nothing else. */
  readonly onlyStationId?: string | undefined;
  readonly stationId?: string | undefined;
  readonly state?: string | undefined;
  readonly kind?: Kind | undefined;
  readonly recorderSerial?: string | undefined;
  readonly collectorNumber?: string | undefined;
  /** RFC 3339. A clip whose capture time is not known fits no bound of it. */
  readonly captured?: Interval;
  /** RFC 3339. */
  readonly received?: Interval;
  readonly important?: boolean | undefined;
  /** A clip that was not examined yet is neither. */
  readonly playable?: boolean | undefined;
  /** Part of the file's name, of the case number that came with it, or of that of a case it is bound to. */
  readonly text?: string | undefined;
  /** true: waits for a case (has no binding that holds); false: is bound. */
  readonly unbound?: boolean | undefined;
  readonly caseId?: string | undefined;
  readonly sha256?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** From the first instant on, until before the second one. */
interface Interval {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** A clip as the list shows it. */
export interface ListedClip extends ClipSummary {
  /** Those that it is bound to now, the one that it was bound to first before the others. */
  readonly cases: CaseOfClip[];
}

interface CaseOfClip {
  readonly id: string;
  readonly number: string;
}

/**
 * Clips of an organization, newest first.
 * @returns one page, and the cursor of the next when there is one.
 * @throws DocksealError `malformed-field` for a cursor of another list and for a time that does not exist.
 */
export async function listClips(db: Database, filter: ClipFilter): Promise<{ items: ListedClip[]; next?: string }> {
  let query = clipSummaries(db)
    .where("clip.organizationId", "=", filter.organizationId)
    .orderBy("clip.receivedAt", "desc")
    .orderBy("clip.id", "desc")
    .limit(filter.limit + 1);
  for (const condition of conditionsOf(filter)) query = query.where(condition);
  if (filter.text !== undefined) query = query.where(await named(db, filter.organizationId, filter.text));
  const { items, next } = pageOf(await query.execute(), filter.limit, ({ receivedAt, id }) =>
    Buffer.from(`${receivedAt} ${id}`).toString("base64url"),
  );
  // What became of a clip is no business of the station that sent it.
  const ids = filter.onlyStationId === undefined ? items.map(({ id }) => id) : [];
  const cases = await casesOfClips(db, ids);
  const listed = items.map((clip) => ({ ...clip, cases: cases.get(clip.id) ?? [] }));
  return next === undefined ? { items: listed } : { items: listed, next };
}

/** Asked for one page at a time: joined to the list, it would be looked up for clips that no page shows. */
async function casesOfClips(db: Database, clipIds: readonly string[]): Promise<ReadonlyMap<string, CaseOfClip[]>> {
  if (clipIds.length === 0) return new Map();
  const { rows } = await sql<CaseOfClip & { clipId: string }>`
    SELECT binding.clip_id, case_file.id, case_file.number FROM binding JOIN case_file ON case_file.id = binding.case_id
    WHERE binding.clip_id = ANY (${clipIds}::uuid[]) AND ${bindingHolds} ORDER BY binding.id`.execute(db);
  const cases = new Map<string, CaseOfClip[]>();
  for (const { clipId, ...file } of rows) cases.set(clipId, [...(cases.get(clipId) ?? []), file]);
  return cases;
}

/** How many clips of an organization wait for a case. */
export async function countUnbound(db: Database, organizationId: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*) AS count FROM clip WHERE organization_id = ${organizationId}::uuid AND NOT bound`.execute(db);
  return rows[0]?.count ?? 0;
}

type Condition = RawBuilder<SqlBool>;

function conditionsOf(filter: ClipFilter): Condition[] {
  const conditions: Condition[] = [];
  const when = <T>(value: T | undefined, condition: (value: T) => Condition): void => {
    if (value !== undefined) conditions.push(condition(value));
  };
  when(filter.onlyStationId, (id) => sql<SqlBool>`clip.station_id = ${id}::uuid`);
  when(filter.stationId, (id) => sql<SqlBool>`clip.station_id = ${id}::uuid`);
  when(filter.state, (state) => sql<SqlBool>`clip.state = ${state}`);
  when(filter.kind, (kind) => sql<SqlBool>`clip.kind = ${kind}`);
  // One value instead of a join, so that the recorder's own index is seen to fit.
  when(
    filter.recorderSerial,
    (serial) => sql<SqlBool>`clip.recorder_id = (SELECT id FROM recorder WHERE serial = ${serial})`,
  );
  when(filter.collectorNumber, (number) => sql<SqlBool>`clip.collector_number = ${number}`);
  when(instant("capturedFrom", filter.captured?.from), (at) => sql<SqlBool>`clip.captured_at >= ${at}::timestamptz`);
  when(instant("capturedTo", filter.captured?.to), (at) => sql<SqlBool>`clip.captured_at < ${at}::timestamptz`);
  when(instant("receivedFrom", filter.received?.from), (at) => sql<SqlBool>`clip.received_at >= ${at}::timestamptz`);
  when(instant("receivedTo", filter.received?.to), (at) => sql<SqlBool>`clip.received_at < ${at}::timestamptz`);
  when(filter.important, (important) => (important ? sql<SqlBool>`clip.important` : sql<SqlBool>`NOT clip.important`));
  when(filter.playable, (playable) => (playable ? sql<SqlBool>`clip.playable` : sql<SqlBool>`NOT clip.playable`));
  when(filter.sha256, (sha256) => sql<SqlBool>`clip.sha256 = ${sha256}`);
  when(filter.unbound, (unbound) => (unbound ? sql<SqlBool>`NOT clip.bound` : sql<SqlBool>`clip.bound`));
  when(filter.caseId, boundTo);
  when(filter.cursor, (cursor) => {
    const [receivedAt, id] = readCursor(cursor);
    return sql<SqlBool>`(clip.received_at, clip.id) < (${receivedAt}::timestamptz, ${id}::uuid)`;
  });
  return conditions;
}

/** Not the view, whose newest revision the planner cannot turn into a join. */
const bindingHolds = sql<SqlBool>`NOT binding.withdrawn AND NOT EXISTS (
  SELECT FROM binding AS newer WHERE newer.id = binding.id AND newer.revision > binding.revision)`;

const boundTo = (caseId: string): Condition => sql<SqlBool>`clip.id IN (
  SELECT clip_id FROM current_binding WHERE case_id = ${caseId}::uuid AND NOT withdrawn)`;

/**
 * Whose file name or case number holds the text, or that of a case it is bound to; case does not matter. The pairs of
 * characters lead to the few clips that may fit, and the second look tells.
 */
async function named(db: Database, organizationId: string, text: string): Promise<Condition> {
  const holds = (column: RawBuilder<unknown>) => sql<SqlBool>`strpos(lower(${column}), lower(${text})) > 0`;
  const words = sql`clip_words(clip.file_name, clip.case_number)`;
  return sql<SqlBool>`(
    (text_pairs(${words}) @> text_pairs(${text}) AND ${holds(words)})
    OR ${await boundToCaseThat(db, organizationId, holds(sql`case_file.number`))})`;
}

/** Cases, and clips bound to them, are named by their ids when there are no more than these. */
const few = 1000;

/** Where many clips are bound to such cases, they are met soon enough in any order; few are better looked up. */
async function boundToCaseThat(db: Database, organizationId: string, fits: Condition): Promise<Condition> {
  const cases = await sql<{ id: string }>`
    SELECT id FROM case_file WHERE organization_id = ${organizationId}::uuid AND ${fits} LIMIT ${few + 1}`.execute(db);
  if (cases.rows.length <= few) {
    const caseIds = cases.rows.map(({ id }) => id);
    const clips = await sql<{ id: string }>`
      SELECT clip_id AS id FROM binding WHERE case_id = ANY (${caseIds}::uuid[]) AND ${bindingHolds}
      LIMIT ${few + 1}`.execute(db);
    if (clips.rows.length <= few) return sql<SqlBool>`clip.id = ANY (${clips.rows.map(({ id }) => id)}::uuid[])`;
  }
  return sql<SqlBool>`EXISTS (
    SELECT FROM binding JOIN case_file ON case_file.id = binding.case_id
    WHERE binding.clip_id = clip.id AND ${bindingHolds} AND ${fits})`;
}

/** @throws DocksealError `malformed-field` for a time of RFC 3339 that does not exist. */
function instant(field: string, text: string | undefined): string | undefined {
  if (text === undefined || isInstant(text)) return text;
  throw new DocksealError("malformed-field", {
    extra: { errors: [{ field, problem: "is a time that does not exist" }] },
  });
}

function readCursor(cursor: string): [receivedAt: string, id: string] {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(
    Buffer.from(cursor, "base64url").toString(),
  );
  if (match?.[1] === undefined || match[2] === undefined || !isInstant(match[1])) {
    throw cursorRefused();
  }
  return [match[1], match[2]];
}

/** Date.parse takes 31 April for 1 May; PostgreSQL refuses it, as it does the year 0 and zones beyond 15 hours. */
function isInstant(text: string): boolean {
  const wall = Date.parse(`${text.slice(0, 19)}Z`);
  const exists = !Number.isNaN(wall) && new Date(wall).toISOString().slice(0, 19) === text.slice(0, 19);
  return (
    exists && !text.startsWith("0000") && !Number.isNaN(Date.parse(text)) && !/[+-](1[6-9]|2\d):/.test(text.slice(19))
  );
}
