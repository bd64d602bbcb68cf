import { createHash } from "node:crypto";
import { appendEvent } from "#custody";
import { type Database, finishStep, inTransaction, stepIsPending } from "#db";
import { holdClip, markSealed } from "#ingest";
import type { TimestampSource } from "./timestamp-source.ts";

/**
 * Takes a timestamp over the seal manifest, and seals the clip: from here on it is evidence, and its receipt exists as
 * soon as the log's next checkpoint is signed. Done already: nothing.
 */
export async function timestampClip(
  deps: { db: Database; timestamps: TimestampSource },
  job: { clipId: string; signal: AbortSignal },
): Promise<void> {
  const { db, timestamps } = deps;
  const { clipId } = job;
  if (!(await stepIsPending(db, clipId, "timestamp"))) return;
  const { manifest } = await db
    .selectFrom("sealManifest")
    .select("manifest")
    .where("clipId", "=", clipId)
    .executeTakeFirstOrThrow();
  const imprint = createHash("sha256").update(manifest).digest();
  const { tokenDer, genTime } = await timestamps.stamp(imprint, job.signal);
  await inTransaction(db, async (tx) => {
    // What went into quarantine meanwhile gets no seal.
    if ((await holdClip(tx, clipId)) !== "hashed" || !(await finishStep(tx, clipId, "timestamp"))) return;
    await markSealed(tx, clipId);
    const details = {
      manifestSha256: imprint.toString("hex"),
      timestamp: {
        tokenSha256: createHash("sha256").update(tokenDer).digest("hex"),
        genTime: genTime.toISOString(),
        independent: timestamps.independent,
      },
    };
    const eventId = await appendEvent(tx, {
      type: "clip.sealed",
      clipId,
      actor: { type: "system", id: "timestamp" },
      details,
    });
    await tx
      .insertInto("sealTimestamp")
      .values({
        clipId,
        token: tokenDer,
        generatedAt: genTime.toISOString(),
        authority: timestamps.name,
        independent: timestamps.independent,
        roots: [...timestamps.roots],
        eventId,
      })
      .executeTakeFirstOrThrow();
  });
}
