import { appendEvent, type CustodyEvent } from "#custody";
import { failPendingSteps, type Tx } from "#db";
import type { Actor } from "#identity";
import { holdClip, markQuarantined } from "#ingest";

export const reasons = {
  missing: "the stored object is missing",
  differs: "the stored bytes are not what came in",
} as const;

/**
 * Puts a clip into quarantine for good: nothing more is done to it, and it gets no seal.
 * @returns false when it is there already.
 */
export async function quarantineClip(
  tx: Tx,
  clipId: string,
  by: { readonly actor: Actor; readonly reason: string; readonly details: CustodyEvent["details"] },
): Promise<boolean> {
  if ((await holdClip(tx, clipId)) === "quarantined") return false;
  await failPendingSteps(tx, clipId);
  await markQuarantined(tx, clipId, by.reason);
  const details = { reason: by.reason, ...by.details };
  await appendEvent(tx, { type: "clip.quarantined", clipId, actor: by.actor, details });
  return true;
}
