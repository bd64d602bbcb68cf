import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { appendEvent } from "#custody";
import {
  abandonIntent,
  beginIntent,
  type Database,
  endIntent,
  finishStep,
  forgetIntent,
  inTransaction,
  keepIntentAlive,
  stepIsPending,
  type Tx,
  touchStep,
} from "#db";
import type { SystemActor } from "#identity";
import { type ClipRecord, clipRecord, holdClip, markExamined } from "#ingest";
import { DocksealError, isProblem, type Json, newId } from "#kernel";
import type { Kind } from "#metadata";
import type { EvidenceStore, ObjectRef, PutResult } from "#store";
import type { Derivative, Derived } from "./derived.ts";
import { deriveMedia } from "./make.ts";
import { scratchForClip } from "./scratch.ts";
import type { MediaSettings } from "./settings.ts";

export interface DeriveDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly scratchDir: string;
  readonly settings: MediaSettings;
  /** How often a clip at work gives a sign of life. */
  readonly signOfLifeMs: number;
  /** Told about signs of life and clean-ups that did not work. */
  readonly onSideError: (error: unknown) => void;
}

const actor: SystemActor = { type: "system", id: "transcode" };

/** After so many tries a recording that the tools choke on is said to be unplayable; its original stays what it is. */
const patience = 3;

/**
 * Makes a clip playable and stores its derivatives, each pointing at the original's digest. The original is read, never
 * changed. Done already: nothing.
 */
export async function deriveClip(
  deps: DeriveDependencies,
  job: { clipId: string; signal: AbortSignal; attempt: number },
): Promise<void> {
  const { db } = deps;
  if (!(await stepIsPending(db, job.clipId, "transcode"))) return;
  const clip = await clipRecord(db, job.clipId);
  const scratchDir = await scratchForClip(deps.scratchDir);
  const stored: { derivative: Derivative; result: PutResult }[] = [];
  const intended: string[] = [];
  const alive = setInterval(() => {
    const signs = [touchStep(db, clip.id, "transcode"), ...intended.map((key) => keepIntentAlive(db, key))];
    Promise.all(signs).catch(deps.onSideError);
  }, deps.signOfLifeMs);
  try {
    const derived = await examine(deps, clip, scratchDir, job);
    for (const derivative of derived.derivatives) {
      const key = `derivatives/${clip.id}/${newId()}-${derivative.role}`;
      intended.push(key); // a large copy may be long on its way
      stored.push({ derivative, result: await storeDerivative(deps, key, derivative, job.signal) });
    }
    const recorded = await inTransaction(db, (tx) => record(tx, clip, derived, stored));
    if (!recorded) await discard(deps, stored);
  } catch (error) {
    await discard(deps, stored);
    throw error;
  } finally {
    clearInterval(alive);
    await rm(scratchDir, { recursive: true, force: true });
  }
}

/** What can be made of the original; a tool that fails again and again makes it unplayable, not the job endless. */
async function examine(
  deps: DeriveDependencies,
  clip: ClipRecord,
  scratchDir: string,
  job: { signal: AbortSignal; attempt: number },
): Promise<Derived | (Omit<Derived, "reason"> & { reason: "tool-failed" })> {
  const inputPath = join(scratchDir, "original");
  await fetchOriginal(deps.store, clip, inputPath, job.signal);
  try {
    const outputs = join(scratchDir, "made");
    await mkdir(outputs);
    const { settings } = deps;
    return await deriveMedia({ inputPath, fileName: clip.fileName, scratchDir: outputs, settings, signal: job.signal });
  } catch (error) {
    if (!isProblem(error, "media-tool-failed") || job.attempt < patience) throw error;
    const mediaType = "application/octet-stream";
    return {
      kind: "other",
      mediaType,
      playable: false,
      reason: "tool-failed",
      derivatives: [],
      defects: [error.message],
    };
  }
}

/** The original as a local file, only when its bytes are the sealed ones. */
async function fetchOriginal(store: EvidenceStore, clip: ClipRecord, path: string, signal: AbortSignal): Promise<void> {
  const sha256 = createHash("sha256");
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sha256.update(chunk);
      done(null, chunk);
    },
  });
  const source = await store.get({ key: clip.objectKey, versionId: clip.versionId }, { signal });
  await pipeline(source, hashing, createWriteStream(path, { flags: "wx", mode: 0o600 }), { signal });
  if (sha256.digest("hex") !== clip.sha256) {
    throw new DocksealError("object-differs", { detail: `the original of clip ${clip.id} does not have its digest` });
  }
}

async function storeDerivative(
  deps: DeriveDependencies,
  key: string,
  derivative: Derivative,
  signal: AbortSignal,
): Promise<PutResult> {
  await beginIntent(deps.db, key, "derivative");
  const { sizeBytes, sha256, mediaType: contentType, path } = derivative;
  try {
    return await deps.store.put({ key, body: createReadStream(path), sizeBytes, sha256, contentType, signal });
  } catch (error) {
    await abandonIntent(deps.db, key).catch(deps.onSideError);
    throw error;
  }
}

async function record(
  tx: Tx,
  clip: ClipRecord,
  derived: Awaited<ReturnType<typeof examine>>,
  stored: readonly { derivative: Derivative; result: PutResult }[],
): Promise<boolean> {
  // What went into quarantine meanwhile is left as it is.
  if ((await holdClip(tx, clip.id)) === "quarantined") return false;
  if (!(await finishStep(tx, clip.id, "transcode", derived.reason === "tool-failed" ? "failed" : "done"))) return false;
  // What the station said of a kind stands where the bytes do not tell.
  const kind: Kind = derived.kind === "other" ? ((clip.metadata as { kind?: Kind }).kind ?? "other") : derived.kind;
  const { mediaType } = derived;
  const mediaFacts = JSON.parse(JSON.stringify({ ...derived.facts, defects: derived.defects })) as Json;
  const examined = { kind, mediaType, mediaFacts };
  const { playable, reason: unplayableReason = null } = derived;
  await markExamined(tx, clip.id, { ...examined, playable, unplayableReason });
  const revision = 1 + (await lastRevision(tx, clip.id));
  // Everything that the rows below tell, so that the log can be asked what they were.
  const made = stored.map(({ derivative, result: { key: objectKey, versionId } }) => {
    const { path: _path, arguments: list, sandbox: sandboxLevel, facts, ...rest } = derivative;
    return { ...rest, objectKey, versionId, facts: { ...facts }, arguments: [...list], sandboxLevel };
  });
  const details = { originalSha256: clip.sha256, revision, derivatives: made, defects: [...derived.defects], examined };
  const eventId = await appendEvent(tx, {
    type: derived.playable ? "clip.derived" : "clip.unplayable",
    clipId: clip.id,
    actor,
    details: derived.playable ? details : { ...details, reason: derived.reason ?? "unknown" },
  });
  for (const { objectKey, facts, arguments: list, ...rest } of made) {
    if (!(await endIntent(tx, objectKey)))
      throw new Error(`the write of ${objectKey} was swept before it was recorded`);
    const its = { id: newId(), clipId: clip.id, revision, eventId, originalSha256: clip.sha256 };
    await tx
      .insertInto("derivative")
      .values({ ...its, ...rest, objectKey, facts: JSON.stringify(facts), arguments: JSON.stringify(list) })
      .executeTakeFirstOrThrow();
  }
  return true;
}

/** A clip is derived again when a stored derivative was found damaged; what was made before stays on record. */
async function lastRevision(tx: Tx, clipId: string): Promise<number> {
  const row = await tx
    .selectFrom("derivative")
    .select(({ fn }) => fn.max("revision").as("last"))
    .where("clipId", "=", clipId)
    .executeTakeFirst();
  return row?.last ?? 0;
}

/** Removes derivatives that did not become part of the clip; what fails here is left to the sweeper. */
async function discard(deps: DeriveDependencies, stored: readonly { result: PutResult }[]): Promise<void> {
  for (const { result } of stored) {
    try {
      // False: the transaction went through after all, whatever its answer was. Then the object stays.
      if (!(await abandonIntent(deps.db, result.key))) continue;
      await deps.store.discard(result.key);
      await forgetIntent(deps.db, result.key);
    } catch (error) {
      deps.onSideError(error);
    }
  }
}

/** Where one derivative lies, and what its bytes must be. */
export async function derivativeStored(
  db: Database,
  derivativeId: string,
): Promise<{ ref: ObjectRef; sizeBytes: number; sha256: string }> {
  const { objectKey, versionId, ...expected } = await db
    .selectFrom("derivative")
    .select(["objectKey", "versionId", "sizeBytes", "sha256"])
    .where("id", "=", derivativeId)
    .executeTakeFirstOrThrow();
  return { ref: { key: objectKey, versionId }, ...expected };
}

/** Derivatives of a clip, as they were recorded: of each role the newest revision. */
export function derivativesOf(db: Database, clipId: string) {
  return db
    .selectFrom("derivative")
    .distinctOn("role")
    .select([
      "id",
      "role",
      "revision",
      "objectKey",
      "versionId",
      "mediaType",
      "sizeBytes",
      "sha256",
      "originalSha256",
      "facts",
      "tool",
      "toolVersion",
      "arguments",
      "sandboxLevel",
      "createdAt",
    ])
    .where("clipId", "=", clipId)
    .orderBy("role")
    .orderBy("revision", "desc")
    .execute();
}
