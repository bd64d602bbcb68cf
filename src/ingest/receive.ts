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
import { knownRecorder, type PersonActor, recorderForStation, type StationActor } from "#identity";
import { DocksealError, isProblem, type Json, newId } from "#kernel";
import { type ClipMetadata, capturedInstant, type DocumentMetadata } from "#metadata";
import type { EvidenceStore, PutResult } from "#store";
import { Digests, type Figures } from "./digests.ts";
import { IncomingBytes, type IncomingLimits } from "./incoming-bytes.ts";
import { promisedBytes } from "./upload/rows.ts";

export interface IngestDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly limits: IncomingLimits;
  /** Told about clean-ups that did not work; the sweeper will do them. */
  readonly onCleanUpError: (error: unknown, objectKey: string) => void;
}

/** Who brings it: a station what it read from a recorder, or a person a document. */
export type Brought =
  | { readonly station: StationActor; readonly metadata: ClipMetadata }
  | { readonly person: PersonActor; readonly metadata: DocumentMetadata };

export type Upload = Brought & {
  readonly body: AsyncIterable<Buffer>;
  /** Digest from the header `Repr-Digest` (RFC 9530), hex. */
  readonly reprSha256?: string;
  readonly signal: AbortSignal;
  readonly traceId: string;
  /** Absent: the station showed its own token. */
  readonly origin?: Origin;
};

/** How a clip came in, when not with a station's own token. */
export interface Origin {
  readonly source: "gateway" | "person";
  /** Stands in the event of the arrival. */
  readonly details: { readonly [key: string]: Json };
  /** Runs in the transaction that makes the clip, or finds it there; what it throws refuses the upload. */
  readonly settle: (tx: Tx, received: Received) => Promise<void>;
}

export interface Received {
  readonly clipId: string;
  /** False when this recorder, or the organization's people, had brought the same bytes before: the clip is the one from then. */
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
    if ("station" in upload) await knownRecorder(db, upload.station, upload.metadata.recorderSerial);
    await beginIntent(db, objectKey, "original");
  });

  const stop = new AbortController();
  const digests = new Digests({ sm3: metadata.digest?.sm3 !== undefined });
  const bytes = new IncomingBytes(upload.body, deps.limits, {
    digests,
    stop: (reason) => stop.abort(reason),
  });
  const heartbeat = setInterval(() => {
    keepIntentAlive(db, objectKey).catch((error: unknown) => deps.onCleanUpError(error, objectKey));
  }, signOfLifeMs(deps.limits.abandonedSeconds));
  let arrived: Figures;
  let stored: PutResult;
  try {
    const sizeBytes = metadata.sizeBytes === undefined ? {} : { sizeBytes: metadata.sizeBytes };
    stored = await store.put({
      key: objectKey,
      body: bytes,
      ...sizeBytes,
      ...(declaredSha256 === undefined ? {} : { sha256: declaredSha256 }),
      promisedBytes: () => speakingDatabase(() => promisedBytes(db)),
      signal: AbortSignal.any([upload.signal, stop.signal]),
    });
    arrived = digests.finish();
    refuseDifference(metadata, declaredSha256, arrived, stored);
  } catch (error) {
    await cleanUp(deps, objectKey, isProblem(error, "store-unavailable"));
    throw error;
  } finally {
    bytes.end();
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

/** @throws DocksealError when what arrived, or what the store kept, is not what was declared. */
export function refuseDifference(
  metadata: Pick<ClipMetadata, "sizeBytes" | "digest">,
  declaredSha256: string | undefined,
  arrived: Figures,
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
  readonly upload: Brought & Pick<Upload, "traceId" | "origin">;
  readonly clipId: string;
  readonly arrived: { sizeBytes: number; sha256: string };
  readonly stored: PutResult;
}

/**
 * The last step of every way in: makes stored bytes a clip, or finds the clip that the same recorder's same bytes are.
 * Ends the intent of the stored object only when the clip is created.
 * @throws DocksealError `upload-aborted` when the sweeper has taken the object.
 */
export async function makeClip(tx: Tx, { upload, clipId, arrived, stored }: NewClip): Promise<Received> {
  const bringer = "station" in upload ? upload.station : upload.person;
  const metadata: Omit<ClipMetadata, "recorderSerial"> = upload.metadata;
  const recorderId =
    "station" in upload ? await recorderForStation(tx, upload.station, upload.metadata.recorderSerial) : null;
  const digests = { sha256: arrived.sha256, sizeBytes: arrived.sizeBytes };
  const row = await tx
    .insertInto("clip")
    .values({
      id: clipId,
      organizationId: bringer.organizationId,
      stationId: "station" in upload ? upload.station.id : null,
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
      ...(upload.origin === undefined ? {} : { source: upload.origin.source }),
    })
    // Waits for a rival transaction with the same recorder and bytes, so that two uploads at once give one clip.
    .onConflict((conflict) =>
      recorderId === null
        ? conflict.columns(["organizationId", "sha256", "sizeBytes"]).where("recorderId", "is", null).doNothing()
        : conflict.columns(["recorderId", "sha256", "sizeBytes"]).doNothing(),
    )
    .returning("id")
    .executeTakeFirst();
  const origin = upload.origin === undefined ? {} : { source: upload.origin.source, ...upload.origin.details };
  const device =
    "station" in upload ? { station: upload.station.id, recorderSerial: upload.metadata.recorderSerial } : {};
  const details = { ...digests, ...device, metadata: upload.metadata, ...origin };
  if (row === undefined) {
    const earlier = await tx
      .selectFrom("clip")
      .select("id")
      .where("organizationId", "=", bringer.organizationId)
      .where("recorderId", "is not distinct from", recorderId)
      .where("sha256", "=", arrived.sha256)
      .where("sizeBytes", "=", arrived.sizeBytes)
      .executeTakeFirstOrThrow();
    await appendEvent(tx, { type: "clip.received-again", clipId: earlier.id, actor: bringer, details });
    const again = { clipId: earlier.id, created: false };
    await upload.origin?.settle(tx, again);
    return again;
  }
  if (!(await endIntent(tx, stored.key))) {
    throw new DocksealError("upload-aborted", {
      detail: "the upload gave no sign of life for too long and was swept; send the file again",
    });
  }
  const { key, versionId } = stored;
  const arrival = { ...details, stored: { key, versionId } };
  await appendEvent(tx, { type: "clip.received", clipId, actor: bringer, details: arrival });
  await planSteps(tx, clipId, ["hash"], upload.traceId);
  const received = { clipId, created: true };
  await upload.origin?.settle(tx, received);
  return received;
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
