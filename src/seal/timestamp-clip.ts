import { createHash } from "node:crypto";
import { appendEvent } from "#custody";
import { finishStep, inTransaction, noteStepError, stepIsPending } from "#db";
import { imprintsOf } from "#evidence";
import type { SystemActor } from "#identity";
import { holdClip, markSealed } from "#ingest";
import { type PublishDependencies, publishSeal, signOriginal } from "./publish.ts";

const actor: SystemActor = { type: "system", id: "timestamp" };

/**
 * Takes a timestamp over the seal manifest, and seals the clip: from here on it is evidence, and its receipt exists as
 * soon as the log's next checkpoint is signed. Where its digest may be public, the original is signed as well, and the
 * signature published. Done already: nothing.
 */
export async function timestampClip(
  deps: PublishDependencies,
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
  const imprints = imprintsOf(manifest);
  const { tokenDer, genTime, authority, independent, roots, passedOver } = await timestamps.stamp(imprints, job.signal);
  if (passedOver.length > 0) await noteStepError(db, clipId, "timestamp", `passed over ${passedOver.join("; ")}`);
  const signed = await signOriginal(deps, clipId, job.signal);
  await inTransaction(db, async (tx) => {
    // What went into quarantine meanwhile gets no seal.
    if ((await holdClip(tx, clipId)) !== "hashed" || !(await finishStep(tx, clipId, "timestamp"))) return;
    await markSealed(tx, clipId);
    const details = {
      manifestSha256: imprints.sha256.toString("hex"),
      timestamp: {
        tokenSha256: createHash("sha256").update(tokenDer).digest("hex"),
        genTime: genTime.toISOString(),
        independent,
      },
    };
    const eventId = await appendEvent(tx, {
      type: "clip.sealed",
      clipId,
      actor,
      details,
    });
    await tx
      .insertInto("sealTimestamp")
      .values({
        clipId,
        token: tokenDer,
        generatedAt: genTime.toISOString(),
        authority,
        independent,
        roots: [...roots],
        eventId,
      })
      .executeTakeFirstOrThrow();
    if (signed !== undefined) await publishSeal(tx, clipId, signed, actor);
  });
}
