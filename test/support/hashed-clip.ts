import { createHash, randomBytes } from "node:crypto";
import { type Database, inTransaction, planSteps } from "#db";
import { encodeSealManifest } from "#evidence";
import { newId } from "#kernel";

const hex = (bytes: number): string => randomBytes(bytes).toString("hex");

/** A clip that was read back and waits for its timestamp: only what that needs stands in its row. */
export async function hashedClip(db: Database): Promise<{ clipId: string; manifest: Buffer }> {
  const [clipId, organizationId, stationId, recorderId] = [newId(), newId(), newId(), newId()];
  const sha256 = createHash("sha256").update(clipId).digest("hex");
  await db
    .insertInto("organization")
    .values({ id: organizationId, name: hex(8) })
    .execute();
  await db
    .insertInto("station")
    .values({ id: stationId, organizationId, number: hex(8), name: "s" })
    .execute();
  await db
    .insertInto("recorder")
    .values({ id: recorderId, organizationId, serial: hex(8) })
    .execute();
  await db
    .insertInto("clip")
    .values({
      ...{ id: clipId, organizationId, stationId, recorderId, state: "hashed", kind: "video", fileName: "f" },
      ...{ sizeBytes: 5, sha256, sm3: hex(32), chunkRoot: hex(32), objectKey: clipId, versionId: "v" },
      ...{ metadata: "{}", collectorNumber: "c", capturedAtRaw: "now" },
    })
    .execute();
  const now = new Date();
  const manifest = encodeSealManifest({
    ...{ v: 1, type: "dockseal/seal-manifest", clip: clipId, sizeBytes: 5, sha256, sm3: hex(32) },
    chunkTree: { chunkBytes: 4194304, count: 1, root: hex(32) },
    ...{ received: { at: now.toISOString() }, readBack: { at: now.toISOString() } },
    stored: {
      ...{ location: "s3://evidence", key: clipId, versionId: "v" },
      retention: { mode: "COMPLIANCE", until: new Date(now.getTime() + 86_400_000).toISOString() },
    },
  });
  await db.insertInto("sealManifest").values({ clipId, manifest }).execute();
  await inTransaction(db, (tx) => planSteps(tx, clipId, ["timestamp"], "trace"));
  return { clipId, manifest };
}
