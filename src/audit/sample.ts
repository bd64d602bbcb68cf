import { createHash } from "node:crypto";
import { sql } from "kysely";
import type { Tx } from "#db";

/**
 * The seed of a day's sample: SHA-256 over `dockseal/fixity-sample@v1`, a line feed, the checkpoint's signed note and the
 * proof that fixes it. Who signs the checkpoint does not know the proof beforehand, and so cannot choose the sample.
 * @returns 64 hex digits.
 */
export function sampleSeed(note: string, proof: Uint8Array): string {
  return createHash("sha256").update("dockseal/fixity-sample@v1\n").update(note).update(proof).digest("hex");
}

/** One clip in a hundred, but ten at least. */
export function sampleSize(population: number): number {
  return Math.max(10, Math.ceil(population / 100));
}

/**
 * Of the clips whose sealing stands in the log below the checkpoint, those with the smallest SHA-256(seed ‖ id), the seed
 * as 32 bytes and the id as text. docs/formats.md shows how to draw the same with a shell.
 */
export async function drawSample(
  tx: Tx,
  { seed, checkpointSize, count }: { seed: string; checkpointSize: number; count: number },
): Promise<string[]> {
  const { rows } = await sql<{ clipId: string }>`
    SELECT clip_id FROM custody_event JOIN log_entry ON log_entry.event_id = custody_event.id
    WHERE custody_event.type = 'clip.sealed' AND log_entry.index < ${checkpointSize}
    ORDER BY sha256(decode(${seed}, 'hex') || convert_to(clip_id::text, 'UTF8')) LIMIT ${count}`.execute(tx);
  return rows.map(({ clipId }) => clipId);
}
