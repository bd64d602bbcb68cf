import type { Database, Tx } from "#db";
import type { ObjectRef } from "#store";

/** One time that a clip's bytes were put back from a copy. The digests are the same: every proof of the clip stays valid. */
export interface Repair {
  readonly generation: number;
  /** Location of the store that the good copy was in. */
  readonly copiedFrom: string;
  readonly reason: string;
  readonly eventId: string;
  readonly repairedAt: string;
}

/**
 * From here on the clip's bytes are read from `ref`. The caller holds the clip, and has read and hashed what is there.
 * @param repair `generation` is one more than the clip has: two repairs of the same damage cannot both be recorded.
 */
export async function addRepair(
  tx: Tx,
  clipId: string,
  ref: ObjectRef,
  repair: Omit<Repair, "repairedAt">,
): Promise<void> {
  await tx
    .insertInto("clipRepair")
    .values({ clipId, objectKey: ref.key, versionId: ref.versionId, ...repair })
    .executeTakeFirstOrThrow();
}

/** Every repair of a clip, oldest first. */
export function repairsOfClip(db: Database, clipId: string): Promise<Repair[]> {
  return db
    .selectFrom("clipRepair")
    .select(["generation", "copiedFrom", "reason", "eventId", "repairedAt"])
    .where("clipId", "=", clipId)
    .orderBy("generation")
    .execute();
}
