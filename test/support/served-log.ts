import { sql } from "kysely";
import type { Database } from "#db";
import { until } from "./until.ts";

/**
 * Appends events that nothing else stands behind, as fast as the database makes them: their leaves are of the right form,
 * their commitments are to nothing.
 */
export async function appendMany(db: Database, count: number): Promise<void> {
  await sql`
    SELECT append_custody_event(id, 'clip.viewed', clip, NULL, 'system:test', '{}', repeat('ab', 32),
      '{"at":"', format('","commitment":"%s","id":"%s","subject":{"clip":"%s"},"type":"clip.viewed","v":1}', repeat('cd', 32), id, clip))
    FROM (SELECT gen_random_uuid() AS id, gen_random_uuid() AS clip FROM generate_series(1, ${count})) AS made`.execute(
    db,
  );
}

/** Waits for the checkpoint over everything. @returns the size of the log. */
export async function allSigned(db: Database): Promise<number> {
  let size = 0;
  await until(
    "every event is covered by a checkpoint",
    async () => {
      const { rows } = await sql<{ events: number; signed: number }>`
        SELECT (SELECT count(*) FROM custody_event) AS events, (SELECT coalesce(max(size), 0) FROM log_checkpoint) AS signed`.execute(
        db,
      );
      size = rows[0]?.signed ?? 0;
      return size > 0 && size === rows[0]?.events;
    },
    { seconds: 120, everyMs: 200 },
  );
  return size;
}
