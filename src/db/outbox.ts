import type { Database, Tx } from "./database.ts";
import type { Step } from "./steps.ts";

/** What waits to become a job: a step of a clip, or an export. */
export type OutboxRow = {
  readonly id: number;
  /** Grows each time the same is queued anew, so that a job id is never used twice. */
  readonly generation: number;
  readonly traceId: string;
} & ({ readonly step: Step; readonly clipId: string } | { readonly step: "export"; readonly exportId: string });

/** Puts an export before the workers, in the caller's transaction. */
export async function queueExport(
  tx: Tx,
  job: { exportId: string; generation: number; traceId: string },
): Promise<void> {
  await tx
    .insertInto("outbox")
    .values({ step: "export", ...job })
    .execute();
}

/**
 * Hands waiting outbox rows to `send` and removes them once it resolved. A crash in between sends them again:
 * every job may run twice. No transaction is open while `send` talks to the queue.
 * @returns how many rows were sent.
 */
export async function dispatchOutbox(
  db: Database,
  send: (rows: OutboxRow[]) => Promise<void>,
  limit = 500,
): Promise<number> {
  const rows = (await db
    .selectFrom("outbox")
    .select(["id", "clipId", "exportId", "step", "generation", "traceId"])
    .orderBy("id")
    .limit(limit)
    .execute()) as OutboxRow[];
  if (rows.length === 0) return 0;
  await send(rows);
  await db
    .deleteFrom("outbox")
    .where(
      "id",
      "in",
      rows.map((row) => row.id),
    )
    .execute();
  return rows.length;
}
