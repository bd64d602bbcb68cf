import { type NotNull, sql } from "kysely";
import { type Database, inTransaction, type Tx } from "#db";
import { pause } from "#kernel";
import { analyseRecorder } from "./record.ts";

/** Entries of the log that are followed in one transaction. */
const batch = 5000;
/** After such a failure a recorder has to wait, so that the others do not. */
const afterFailureSeconds = 60;

/** Has recorders looked at. A look that is under way ends first, and another one follows it. */
export async function markDue(tx: Tx, recorderIds: readonly string[]): Promise<void> {
  await sql`
    INSERT INTO recorder_timeline AS known (recorder_id, due_at)
    SELECT id, clock_timestamp() FROM unnest(${recorderIds}::uuid[]) AS id ORDER BY id
    ON CONFLICT (recorder_id) DO UPDATE SET due_at = least(known.due_at, excluded.due_at)`.execute(tx);
}

/**
 * Follows the custody log: whatever happened to clips that changes a time line makes their recorders due. The log's
 * places are given in the order of commits and without gaps, so that nothing is passed over, and ingest waits for nothing.
 * @returns how many entries were followed; 0 also while another process follows.
 */
export function followLog(db: Database): Promise<number> {
  return inTransaction(db, async (tx) => {
    const { rows } = await sql<{ next: number; end: number }>`
      SELECT next_index AS next, least(next_index + ${batch}, (SELECT coalesce(max(index) + 1, 0) FROM log_entry)) AS "end"
      FROM recording_cursor FOR UPDATE SKIP LOCKED`.execute(tx);
    const [cursor] = rows;
    if (cursor === undefined || cursor.end <= cursor.next) return 0;
    const changed = await tx
      .selectFrom("logEntry")
      .innerJoin("custodyEvent", "custodyEvent.id", "logEntry.eventId")
      .innerJoin("clip", "clip.id", "custodyEvent.clipId")
      .select("clip.recorderId")
      // A document has no recorder.
      .where("clip.recorderId", "is not", null)
      .$narrowType<{ recorderId: NotNull }>()
      .distinct()
      .where("logEntry.index", ">=", cursor.next)
      .where("logEntry.index", "<", cursor.end)
      .where("custodyEvent.type", "in", ["clip.received", "clip.derived", "clip.unplayable"])
      .execute();
    await markDue(
      tx,
      changed.map(({ recorderId }) => recorderId),
    );
    await tx.updateTable("recordingCursor").set({ nextIndex: cursor.end }).execute();
    return cursor.end - cursor.next;
  });
}

/**
 * Looks at the recorder that is due longest. Its row is held meanwhile, so that no two processes look at one recorder;
 * killed in between, nothing has changed and it is still due.
 * @returns false when none is due.
 */
export async function analyseNext(
  db: Database,
  onError: (error: unknown, recorderId: string) => void,
): Promise<boolean> {
  let recorderId: string | undefined;
  try {
    await inTransaction(db, async (tx) => {
      const { rows } = await sql<{ recorderId: string; nowMs: number }>`
        SELECT recorder_id, floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms FROM recorder_timeline
        WHERE due_at <= clock_timestamp() ORDER BY due_at, recorder_id LIMIT 1 FOR UPDATE SKIP LOCKED`.execute(tx);
      const [due] = rows;
      if (due === undefined) return;
      recorderId = due.recorderId;
      await analyseRecorder(tx, recorderId, due.nowMs);
    });
  } catch (error) {
    if (recorderId === undefined) throw error;
    onError(error, recorderId);
    await sql`
      UPDATE recorder_timeline SET due_at = clock_timestamp() + make_interval(secs => ${afterFailureSeconds})
      WHERE recorder_id = ${recorderId}::uuid`.execute(db);
  }
  return recorderId !== undefined;
}

/** Keeps time lines up to date until told to stop. */
export async function keepAnalysing(options: {
  readonly db: Database;
  readonly signal: AbortSignal;
  readonly onError: (error: unknown, recorderId?: string) => void;
}): Promise<void> {
  const { db, signal, onError } = options;
  while (!signal.aborted) {
    try {
      while (!signal.aborted && (await followLog(db)) > 0);
      while (!signal.aborted && (await analyseNext(db, onError)));
    } catch (error) {
      onError(error);
    }
    await pause(1000, signal);
  }
}
