import { appendEvent } from "#custody";
import {
  abandonIntent,
  beginIntent,
  type Database,
  endIntent,
  forgetIntent,
  inTransaction,
  keepIntentAlive,
  planSteps,
  signOfLifeMs,
  speakingDatabase,
  type Tx,
} from "#db";
import { knownRecorder, recorderForStation, type StationActor } from "#identity";
import { DocksealError, isProblem, newId } from "#kernel";
import type { EvidenceStore, PutResult } from "#store";
import { capturedInstant } from "./capture-time.ts";
import { IncomingBytes, type IncomingLimits } from "./incoming-bytes.ts";
import type { ClipMetadata } from "./metadata.ts";

export interface IngestDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly limits: IncomingLimits;
  /** Told about clean-ups that did not work; the sweeper will do them. */
  readonly onCleanUpError: (error: unknown, objectKey: string) => void;
}

export interface Upload {
  readonly station: StationActor;
  readonly metadata: ClipMetadata;
  readonly body: AsyncIterable<Buffer>;
  /** Digest from the header `Repr-Digest` (RFC 9530), hex. */
  readonly reprSha256?: string;
  readonly signal: AbortSignal;
  readonly traceId: string;
}

export interface Received {
  readonly clipId: string;
  /** False when this recorder had sent the same bytes before: the clip is the one from then. */
  readonly created: boolean;
}

/**
 * Takes one recording: streams it into the evidence store while hashing it, compares with what was declared, and makes
 * it a clip in one transaction. When this rejects, nothing of it is kept; when the process dies at any point, what
 * is left behind has an intent and is swept.
 */
export async function receiveClip(deps: IngestDependencies, upload: Upload): Promise<Received> {
  const { db, store } = deps;
  const { metadata } = upload;
  const declaredSha256 = agreedSha256(upload);
  if (metadata.sizeBytes === 0) throw new DocksealError("empty-file");
  if (metadata.sizeBytes !== undefined && metadata.sizeBytes > deps.limits.maxBytes) {
    throw new DocksealError("file-too-large", { detail: `more than ${deps.limits.maxBytes} bytes` });
  }
  const clipId = newId();
  const objectKey = `originals/${clipId.slice(0, 8)}/${clipId}`;
  await speakingDatabase(async () => {
    await knownRecorder(db, upload.station, metadata.recorderSerial);
    await beginIntent(db, objectKey, "original");
  });

  const stop = new AbortController();
  const bytes = new IncomingBytes(upload.body, deps.limits, {
    sm3: metadata.digest?.sm3 !== undefined,
    stop: (reason) => stop.abort(reason),
  });
  const heartbeat = setInterval(() => {
    keepIntentAlive(db, objectKey).catch((error: unknown) => deps.onCleanUpError(error, objectKey));
  }, signOfLifeMs(deps.limits.abandonedSeconds));
  let arrived: ReturnType<IncomingBytes["finish"]>;
  let stored: PutResult;
  try {
    const sizeBytes = metadata.sizeBytes === undefined ? {} : { sizeBytes: metadata.sizeBytes };
    stored = await store.put({
      key: objectKey,
      body: bytes,
      ...sizeBytes,
      ...(declaredSha256 === undefined ? {} : { sha256: declaredSha256 }),
      signal: AbortSignal.any([upload.signal, stop.signal]),
    });
    arrived = bytes.finish();
    refuseDifference(metadata, declaredSha256, arrived, stored);
  } catch (error) {
    await cleanUp(deps, objectKey, isProblem(error, "store-unavailable"));
    throw error;
  } finally {
    clearInterval(heartbeat);
  }

  let received: Received;
  try {
    received = await inTransaction(db, (tx) => makeClip(tx, { upload, clipId, arrived, stored }));
  } catch (error) {
    // The answer to COMMIT may have been lost. Taking the intent waits for a commit that is still under way, and tells
    // which way it went: the row is gone exactly when the clip is there.
    const gone = await speakingDatabase(
      async () => !(await abandonIntent(db, objectKey)) && (await clipExists(db, clipId)),
    );
    if (gone) return { clipId, created: true };
    await cleanUp(deps, objectKey, false);
    throw error;
  }
  if (!received.created) await cleanUp(deps, objectKey, false);
  return received;
}

function agreedSha256(upload: Upload): string | undefined {
  const fromMetadata = upload.metadata.digest?.sha256;
  if (fromMetadata !== undefined && upload.reprSha256 !== undefined && fromMetadata !== upload.reprSha256) {
    throw new DocksealError("digest-differs", {
      detail: "metadata.digest.sha256 and the header Repr-Digest differ from each other",
    });
  }
  return fromMetadata ?? upload.reprSha256;
}

function refuseDifference(
  metadata: ClipMetadata,
  declaredSha256: string | undefined,
  arrived: { sizeBytes: number; sha256: string; sm3: string | undefined },
  stored: PutResult,
): void {
  if (arrived.sizeBytes === 0) throw new DocksealError("empty-file");
  if (metadata.sizeBytes !== undefined && metadata.sizeBytes !== arrived.sizeBytes) {
    throw new DocksealError("length-differs", {
      detail: `declared ${metadata.sizeBytes} bytes, ${arrived.sizeBytes} arrived`,
    });
  }
  if (declaredSha256 !== undefined && declaredSha256 !== arrived.sha256) {
    throw new DocksealError("digest-differs", {
      detail: `declared SHA-256 ${declaredSha256}, computed ${arrived.sha256}`,
    });
  }
  if (metadata.digest?.sm3 !== undefined && metadata.digest.sm3 !== arrived.sm3) {
    throw new DocksealError("digest-differs", {
      detail: `declared SM3 ${metadata.digest.sm3}, computed ${arrived.sm3}`,
    });
  }
  if (stored.sizeBytes !== arrived.sizeBytes) {
    throw new DocksealError("store-unavailable", {
      detail: `${arrived.sizeBytes} bytes arrived, the store kept ${stored.sizeBytes}`,
    });
  }
}

interface NewClip {
  readonly upload: Upload;
  readonly clipId: string;
  readonly arrived: { sizeBytes: number; sha256: string };
  readonly stored: PutResult;
}

async function makeClip(tx: Tx, { upload, clipId, arrived, stored }: NewClip): Promise<Received> {
  const { metadata, station } = upload;
  const recorderId = await recorderForStation(tx, station, metadata.recorderSerial);
  const digests = { sha256: arrived.sha256, sizeBytes: arrived.sizeBytes };
  const row = await tx
    .insertInto("clip")
    .values({
      id: clipId,
      organizationId: station.organizationId,
      stationId: station.id,
      recorderId,
      state: "received",
      kind: metadata.kind ?? "other",
      fileName: metadata.fileName,
      ...digests,
      objectKey: stored.key,
      versionId: stored.versionId,
      metadata: JSON.stringify(metadata),
      collectorNumber: metadata.collectorNumber,
      capturedAtRaw: metadata.capturedAt,
      capturedAt: capturedInstant(metadata.capturedAt, metadata.capturedAtZone) ?? null,
      important: metadata.important ?? false,
      caseNumber: metadata.caseNumber ?? null,
      evidencePurpose: metadata.evidencePurpose ?? null,
      stage: metadata.stage ?? null,
      placeText: metadata.place?.text ?? null,
    })
    // Waits for a rival transaction with the same recorder and bytes, so that two uploads at once give one clip.
    .onConflict((conflict) => conflict.columns(["recorderId", "sha256", "sizeBytes"]).doNothing())
    .returning("id")
    .executeTakeFirst();
  const details = { ...digests, station: station.id, recorderSerial: metadata.recorderSerial, metadata };
  if (row === undefined) {
    const earlier = await tx
      .selectFrom("clip")
      .select("id")
      .where("recorderId", "=", recorderId)
      .where("sha256", "=", arrived.sha256)
      .where("sizeBytes", "=", arrived.sizeBytes)
      .executeTakeFirstOrThrow();
    await appendEvent(tx, { type: "clip.received-again", clipId: earlier.id, actor: station, details });
    return { clipId: earlier.id, created: false };
  }
  if (!(await endIntent(tx, stored.key))) {
    throw new DocksealError("upload-aborted", {
      detail: "the upload gave no sign of life for too long and was swept; send the file again",
    });
  }
  await appendEvent(tx, { type: "clip.received", clipId, actor: station, details });
  await planSteps(tx, clipId, ["hash"], upload.traceId);
  return { clipId, created: true };
}

async function clipExists(db: Database, clipId: string): Promise<boolean> {
  return (await db.selectFrom("clip").select("id").where("id", "=", clipId).executeTakeFirst()) !== undefined;
}

/**
 * Removes what an upload left in the store, and then its intent. What fails here is left to the sweeper.
 * @param unsure the store did not answer: a write may still end after we looked, so the sweeper shall look again.
 */
async function cleanUp(deps: IngestDependencies, objectKey: string, unsure: boolean): Promise<void> {
  try {
    await deps.store.discard(objectKey);
    await abandonIntent(deps.db, objectKey);
    if (!unsure) await forgetIntent(deps.db, objectKey);
  } catch (error) {
    deps.onCleanUpError(error, objectKey);
  }
}
