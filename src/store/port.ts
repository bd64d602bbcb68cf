import type { Readable } from "node:stream";
import type { Reservation } from "./memory-budget.ts";

/** One stored version of one key. Evidence is always named, read, locked and removed by version. */
export interface ObjectRef {
  readonly key: string;
  readonly versionId: string;
}

export interface PutRequest {
  /** A key used once, for one attempt: `[a-z0-9/._-]+`, no leading slash, no `..`. */
  readonly key: string;
  /**
   * The bytes; read with back-pressure, never buffered whole. A chunk must not be changed after it was given. When the
   * put ends before the body does, the iterator's `return` is called, as `for await` does.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Exact length in bytes when it is known beforehand. More or fewer bytes: `length-differs`, and nothing is kept. */
  readonly sizeBytes?: number;
  /** Declared SHA-256, 64 hex digits: handed to a store that checks it itself. */
  readonly sha256?: string;
  readonly contentType?: string;
  /** {@link SpaceWanted.promisedBytes} */
  readonly promisedBytes?: () => Promise<number>;
  /** Aborting it ends the put with its reason, and nothing is kept. */
  readonly signal: AbortSignal;
}

export interface PutResult extends ObjectRef {
  readonly sizeBytes: number;
}

export interface Retention {
  /** COMPLIANCE: nobody, not even the bucket's owner, removes the version or shortens the time before `until`. */
  readonly mode: "COMPLIANCE" | "GOVERNANCE";
  readonly until: Date;
}

export interface ObjectFacts {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly retention: Retention | undefined;
  readonly legalHold: boolean;
}

export interface StoredVersion extends ObjectRef {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

/** One object that is written over several requests, by any of several processes. */
export interface ResumableWrite {
  readonly key: string;
  /** What {@link ResumableWrites.begin} gave; means something to the store alone. */
  readonly writeId: string;
}

/** What a resumable write will need, for a store that counts the space itself; an S3 server counts its own. */
export interface SpaceWanted {
  /** Of the whole object. */
  readonly sizeBytes: number;
  /** Space that was promised to other writes and is not used yet; asked only by a store that counts. */
  readonly promisedBytes: () => Promise<number>;
}

export interface NewPart {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer;
  /** Of the bytes, hex: a store that compares it takes no others. */
  readonly sha256: string;
}

/** A part as whoever wrote it knows it: its number, from 1, and what the store answered. */
export interface WrittenPart {
  readonly number: number;
  readonly etag: string;
}

/**
 * Writing one object part by part over hours. Whoever uses it keeps the part map; the store keeps the bytes. A part
 * is durable once {@link writePart} has resolved, and no object exists before {@link complete}. There is no call that
 * aborts: {@link EvidenceStore.discard} removes what is under a key, unfinished parts with it.
 */
export interface ResumableWrites {
  /** Every part but the last must hold at least so many bytes. */
  readonly smallestPartBytes: number;
  /** Sets memory aside for parts on their way, `most` bytes if many are free. @throws DocksealError `no-budget`. */
  reserve(most: number, least: number): Reservation;
  /**
   * Begins a write under a key used once.
   * @param space undefined: it is not asked whether there is room.
   * @returns the write's id.
   * @throws DocksealError `store-full` when the whole object will not fit.
   */
  begin(key: string, space?: SpaceWanted): Promise<string>;
  /**
   * Writes a part; what an earlier try left under its number does not count any more.
   * @returns its ETag, which {@link complete} wants.
   * @throws DocksealError `upload-gone` when the store knows nothing of the write any more.
   */
  writePart(write: ResumableWrite, part: NewPart, signal: AbortSignal): Promise<string>;
  /** Whether the store still holds each of these parts with this ETag. A write that is gone holds none. */
  holds(write: ResumableWrite, parts: readonly WrittenPart[]): Promise<boolean>;
  /**
   * Makes the object of these parts, in this order; made already: the version from then.
   * @throws DocksealError `upload-gone` when the store does not hold them all: then no object was made.
   */
  complete(
    write: ResumableWrite,
    parts: readonly WrittenPart[],
    sizeBytes: number,
    signal: AbortSignal,
  ): Promise<PutResult>;
}

/** What became of a canary object: each of `refused…` is true only when the attempt was made and was refused. */
export interface WormReport {
  readonly checkedAt: Date;
  /** True only when every attempt below was refused. */
  readonly writeOnce: boolean;
  readonly refusedRemoval: boolean;
  readonly refusedOverwrite: boolean;
  readonly refusedShortening: boolean;
  /** One sentence for people; names what was not refused, or why the probe could not run. */
  readonly detail: string;
}

/**
 * Write-once object storage. Two adapters: `s3` and `filesystem`; test/contract/store.ts is the suite that both pass.
 * Faults are DocksealErrors: `store-unavailable` (try again), `store-full`, `object-exists`, `object-missing`,
 * `object-locked`, `length-differs`, `digest-differs`, `no-budget`.
 */
export interface EvidenceStore {
  readonly kind: "s3" | "filesystem";
  /** Where things are, for manifests and people: `s3://bucket` or `file:///dir`. No secret in it. */
  readonly location: string;

  /**
   * Writes one object. Until it resolves nothing may be relied on; when it rejects, whatever was written has been
   * removed, or is found by {@link discard}. `no-budget` is thrown before a byte of `body` is read.
   */
  put(request: PutRequest): Promise<PutResult>;
  readonly resumable: ResumableWrites;
  /** Reads a version, or the bytes `start` to `end` (both inclusive) of it. Destroying the stream ends the transfer. */
  get(ref: ObjectRef, options?: { range?: { start: number; end: number }; signal?: AbortSignal }): Promise<Readable>;
  /** Undefined when that version does not exist. */
  stat(ref: ObjectRef): Promise<ObjectFacts | undefined>;
  /**
   * Sets a COMPLIANCE retention and reads it back. Extends only: a version held longer already stays as it is.
   * @returns what the store says after the call, never what was asked for.
   */
  lock(ref: ObjectRef, until: Date): Promise<Retention>;
  setLegalHold(ref: ObjectRef, on: boolean): Promise<void>;
  /** Removes one version for good. `object-locked` while it is retained or held; gone already: no error. */
  remove(ref: ObjectRef): Promise<void>;
  /**
   * Removes whatever a failed attempt may have left under exactly this key: versions, delete markers, unfinished
   * multipart uploads, temporary files. Versions that are locked stay.
   * @returns how many of each were removed, and how many versions were locked.
   */
  discard(key: string): Promise<{ versions: number; uploads: number; locked: number }>;
  /** All stored versions under a prefix, in no particular order. */
  list(prefix: string): AsyncIterable<StoredVersion>;
  /** Keys of unfinished uploads under a prefix. */
  listUnfinished(prefix: string): AsyncIterable<{ key: string; startedAt: Date }>;
  /** Writes a canary under `worm-probe/` and tries to remove, overwrite and shorten it. */
  probeWorm(): Promise<WormReport>;
  /** Of the disk that a directory is on; undefined where the store's server counts its own. Throws `store-unavailable`. */
  space(): Promise<{ freeBytes: number; totalBytes: number } | undefined>;
  /** Cheap: does the store answer? Throws `store-unavailable`. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
