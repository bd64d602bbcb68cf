import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { DocksealError, newId } from "#kernel";
import { checkKey, checkPrefix, checkRange } from "../key.ts";
import type { StoreLog } from "../log.ts";
import type { MemoryBudget, Reservation } from "../memory-budget.ts";
import type {
  EvidenceStore,
  ObjectFacts,
  ObjectRef,
  PutRequest,
  PutResult,
  Retention,
  StoredVersion,
  WormReport,
} from "../port.ts";
import { extended, isHeld, reaches } from "../retention.ts";
import { asProblem, isMissing, isRefusal } from "./answers.ts";
import { type Attempt, abortUpload, confirm, exists, removeOwn } from "./attempt.ts";
import { checkedBody } from "./body.ts";
import type { S3Connection } from "./connection.ts";
import {
  deleteVersion,
  head,
  listUploads,
  listVersions,
  ofKey,
  readLegalHold,
  readRetention,
  toQuery,
  writeLegalHold,
  writeRetention,
} from "./control.ts";
import { putParts, reserveParts } from "./multipart-put.ts";
import { S3Resumable } from "./resumable.ts";
import { LARGEST_SINGLE_PUT_BYTES, putSingle, SINGLE_PUT_BUDGET_BYTES } from "./single-put.ts";
import { probeS3Worm } from "./worm.ts";

/** Evidence in one bucket of an S3 server with versioning and Object Lock. */
export class S3Store implements EvidenceStore {
  readonly kind = "s3";
  readonly resumable: S3Resumable;
  readonly #connection: S3Connection;
  readonly #budget: MemoryBudget;
  readonly #log: StoreLog;

  constructor(connection: S3Connection, budget: MemoryBudget, log: StoreLog) {
    this.#connection = connection;
    this.#budget = budget;
    this.#log = log;
    this.resumable = new S3Resumable(connection, budget);
  }

  get location(): string {
    return `s3://${this.#connection.bucket}`;
  }

  async put(request: PutRequest): Promise<PutResult> {
    const { key, signal } = request;
    checkKey(key);
    signal.throwIfAborted();
    const reservation = this.#reserve(request);
    const attempt = { ...request, attemptId: newId() };
    try {
      if ((await ofKey(listVersions(this.#connection, key, { signal }), key)).length > 0) {
        throw exists(key);
      }
      return await this.#write(attempt, reservation);
    } finally {
      reservation.release();
    }
  }

  async get(
    ref: ObjectRef,
    options: { range?: { start: number; end: number }; signal?: AbortSignal } = {},
  ): Promise<Readable> {
    checkKey(ref.key);
    const { range, signal } = options;
    checkRange(range);
    const response = await this.#connection.control(
      "get",
      (client) =>
        client.makeRequestAsync(
          {
            method: "GET",
            bucketName: this.#connection.bucket,
            objectName: ref.key,
            query: toQuery({ versionId: ref.versionId }),
            headers: range ? { range: `bytes=${range.start}-${range.end}` } : {},
          },
          "",
          [200, 206],
        ),
      signal ? { signal } : {},
    );
    const expectedBytes = Number(response.headers["content-length"]);
    const wrong = whatIsWrong(response, ref, range);
    if (wrong !== undefined) {
      response.destroy();
      throw new DocksealError("store-unavailable", { detail: `get: ${wrong}`, retryAfterSeconds: 10 });
    }
    return checkedBody(response, expectedBytes, this.#connection.timeouts.stallMs, signal);
  }

  async stat(ref: ObjectRef): Promise<ObjectFacts | undefined> {
    checkKey(ref.key);
    const [found, retention, legalHold] = await Promise.all([
      head(this.#connection, ref),
      readRetention(this.#connection, ref),
      readLegalHold(this.#connection, ref),
    ]);
    return found && { sizeBytes: found.sizeBytes, modifiedAt: found.modifiedAt, retention, legalHold };
  }

  async lock(ref: ObjectRef, until: Date): Promise<Retention> {
    checkKey(ref.key);
    const before = await readRetention(this.#connection, ref);
    if (reaches(before, until)) return before;
    const wanted = extended(before, until);
    if (!(wanted.getTime() > Date.now()))
      throw new DocksealError("internal", { detail: "lock: that moment has passed" });
    let refusal: unknown;
    try {
      await writeRetention(this.#connection, ref, { mode: "COMPLIANCE", until: wanted });
    } catch (error) {
      // Somebody else may have locked it for longer in between; what the store says now decides.
      if (!isRefusal(error)) throw asProblem("lock", error);
      refusal = error;
    }
    const after = await readRetention(this.#connection, ref);
    if (reaches(after, wanted)) return after;
    if (refusal !== undefined) throw asProblem("lock", refusal);
    throw new DocksealError("store-unavailable", {
      detail: `lock: the store accepted COMPLIANCE until ${wanted.toISOString()} but holds ${describe(after)}`,
      retryAfterSeconds: 60,
    });
  }

  async setLegalHold(ref: ObjectRef, on: boolean): Promise<void> {
    checkKey(ref.key);
    await writeLegalHold(this.#connection, ref, on);
    if ((await readLegalHold(this.#connection, ref)) !== on) {
      const detail = `legal hold: the store accepted ${on ? "on" : "off"} but says otherwise`;
      throw new DocksealError("store-unavailable", { detail, retryAfterSeconds: 60 });
    }
  }

  async remove(ref: ObjectRef): Promise<void> {
    checkKey(ref.key);
    try {
      await deleteVersion(this.#connection, ref);
    } catch (error) {
      throw (await this.#isLocked(ref, error)) ? locked(ref, error) : asProblem("remove", error);
    }
  }

  async discard(key: string): Promise<{ versions: number; uploads: number; locked: number }> {
    checkKey(key);
    const removed = { versions: 0, uploads: 0, locked: 0 };
    for (const { uploadId } of await ofKey(listUploads(this.#connection, key), key)) {
      await abortUpload(this.#connection, key, uploadId);
      removed.uploads++;
    }
    for (const version of await ofKey(listVersions(this.#connection, key), key)) {
      try {
        await deleteVersion(this.#connection, version);
        removed.versions++;
      } catch (error) {
        if (!(await this.#isLocked(version, error))) throw asProblem("discard", error);
        removed.locked++;
      }
    }
    return removed;
  }

  async *list(prefix: string): AsyncGenerator<StoredVersion> {
    checkPrefix(prefix);
    for await (const { key, versionId, sizeBytes, modifiedAt, deleteMarker } of listVersions(
      this.#connection,
      prefix,
    )) {
      if (!deleteMarker) yield { key, versionId, sizeBytes, modifiedAt };
    }
  }

  async *listUnfinished(prefix: string): AsyncGenerator<{ key: string; startedAt: Date }> {
    checkPrefix(prefix);
    for await (const { key, startedAt } of listUploads(this.#connection, prefix)) yield { key, startedAt };
  }

  probeWorm(): Promise<WormReport> {
    return probeS3Worm(this, this.#connection);
  }

  async ping(): Promise<void> {
    const exists = await this.#connection.control("ping", (client) => client.bucketExists(this.#connection.bucket), {
      attempts: 1,
    });
    if (!exists) throw new DocksealError("store-unavailable", { detail: "ping: the bucket is gone" });
  }

  async space(): Promise<undefined> {
    return undefined;
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  #reserve({ sizeBytes }: PutRequest): Reservation {
    return isSingle(sizeBytes)
      ? this.#budget.reserve(Math.min(SINGLE_PUT_BUDGET_BYTES, 64 * 1024 + sizeBytes))
      : reserveParts(this.#budget, sizeBytes);
  }

  async #write(attempt: Attempt, reservation: Reservation): Promise<PutResult> {
    const { key, signal, sizeBytes } = attempt;
    const source = {
      idleMs: this.#connection.timeouts.sourceIdleMs,
      onLateError: (error: unknown) => this.#log({ level: "debug", msg: "source failed after its put ended", error }),
    };
    try {
      const written = isSingle(sizeBytes)
        ? await putSingle(this.#connection, { ...attempt, sizeBytes }, source)
        : await putParts(this.#connection, attempt, reservation, source);
      await confirm(this.#connection, { key, ...written }, signal);
      return { key, ...written };
    } catch (error) {
      try {
        await removeOwn(this.#connection, attempt);
      } catch (cleanUpError) {
        this.#log({ level: "warn", msg: "a failed put may have left something", key, error: cleanUpError });
        throw withCleanUpError(error, cleanUpError);
      }
      throw error;
    }
  }

  async #isLocked(ref: ObjectRef, error: unknown): Promise<boolean> {
    if (!isRefusal(error) || isMissing(error)) return false;
    const facts = await this.stat(ref);
    return facts !== undefined && isHeld(facts);
  }
}

function isSingle(sizeBytes: number | undefined): sizeBytes is number {
  return sizeBytes !== undefined && sizeBytes <= LARGEST_SINGLE_PUT_BYTES;
}

function locked({ key, versionId }: ObjectRef, cause: unknown): DocksealError {
  return new DocksealError("object-locked", { detail: `${key} version ${versionId} is retained or held`, cause });
}

function describe(retention: Retention | undefined): string {
  return retention ? `${retention.mode} until ${retention.until.toISOString()}` : "no retention";
}

/** Why a successful answer is not what was asked for; undefined when it is. A server or proxy may ignore a range. */
function whatIsWrong(
  response: IncomingMessage,
  { versionId }: ObjectRef,
  range: { readonly start: number; readonly end: number } | undefined,
): string | undefined {
  const { headers, statusCode } = response;
  const version = headers["x-amz-version-id"];
  if (version !== undefined && version !== versionId) return "the store gave another version";
  if (!/^\d+$/.test(headers["content-length"] ?? "")) return "the store gave no length";
  if (!range) return statusCode === 200 ? undefined : `the store answered ${statusCode}`;
  const [, start, end] = /^bytes (\d+)-(\d+)\//.exec(headers["content-range"] ?? "") ?? [];
  const given = start !== undefined && Number(start) === range.start && Number(end) <= range.end;
  const whole = given && Number(headers["content-length"]) === Number(end) - range.start + 1;
  return statusCode === 206 && whole ? undefined : "the store gave another range";
}

/** A fault of the clean-up goes with the fault that it followed; errors of others (source, signal) stay as they are. */
function withCleanUpError(error: unknown, cleanUpError: unknown): unknown {
  if (!(error instanceof DocksealError)) return error;
  const cause = new AggregateError([error, cleanUpError], "put failed, and so did the clean-up after it");
  const { code, detail, extra, retryAfterSeconds } = error;
  return new DocksealError(code, {
    extra,
    cause,
    ...(detail === undefined ? {} : { detail }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}
