import { createHash } from "node:crypto";
import { sql } from "kysely";
import { abandonIntent, beginIntent, type Database, endIntent, inTransaction, isUniqueViolation } from "#db";
import { type Imprints, imprintsOf } from "#evidence";
import { pause } from "#kernel";
import type { EvidenceStore } from "#store";
import type { SignedHead } from "./checkpoints.ts";
import { copyKey } from "./outside-heads.ts";

interface CheckpointToken {
  readonly tokenDer: Buffer;
  readonly genTime: Date;
  readonly authority: string;
  readonly independent: boolean;
  /** PEM certificates, to one of which the token leads. */
  readonly roots: readonly string[];
}

/** Where RFC 3161 tokens come from: what `TimestampSource` of the seal room is. */
export interface CheckpointStamper {
  /** A token over one of the imprints, checked before it is given, and who gave it. */
  stamp(imprints: Imprints, signal: AbortSignal): Promise<CheckpointToken>;
}

export interface AnchorDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly timestamps: CheckpointStamper;
  /** From one copy to the next, when the log has grown. */
  readonly everySeconds: number;
  /** How long a copy is locked. */
  readonly retentionDays: number;
  readonly signal: AbortSignal;
  /** Told about what failed; it is tried again. */
  readonly onError: (error: unknown) => void;
}

type Part = "note" | "timestamp";
interface Head extends SignedHead {
  readonly signedAt: string;
}

/**
 * Copies the newest checkpoint into the evidence store under lock, and has it timestamped, on a schedule, until the
 * signal aborts. Every process may run it: a copy's intent lets one at a time write it.
 */
export async function keepAnchoring(deps: AnchorDependencies): Promise<void> {
  while (!deps.signal.aborted) {
    await anchorOnce(deps);
    await pause(Math.min(deps.everySeconds, 10) * 1000, deps.signal);
  }
}

/**
 * One look: whatever of the newest copied checkpoint is not done yet, and a new copy when one is due. A step that fails
 * is told to `onError` and holds up nothing that does not need it.
 */
export async function anchorOnce(deps: AnchorDependencies): Promise<void> {
  const tried = async (step: () => Promise<void>): Promise<void> => {
    if (!deps.signal.aborted) await step().catch(deps.onError);
  };
  await tried(async () => {
    const due = await dueForCopy(deps);
    if (due !== undefined) await copy(deps, due, "note", Buffer.from(due.note));
  });
  await tried(async () => {
    const head = await newestCopied(deps.db);
    if (head !== undefined && (await tokenOf(deps.db, head.size)) === undefined) await timestamp(deps, head);
  });
  await tried(async () => {
    const head = await newestCopied(deps.db);
    const token = head === undefined ? undefined : await tokenOf(deps.db, head.size);
    if (head !== undefined && token !== undefined) await copy(deps, head, "timestamp", token);
  });
  await tried(() => lockCopies(deps));
}

/** The newest checkpoint, when it has no copy and the last copy is old enough. */
async function dueForCopy({ db, everySeconds }: AnchorDependencies): Promise<Head | undefined> {
  const { rows } = await sql<Head>`
    SELECT size, root, note, signed_at FROM log_checkpoint
    WHERE size = (SELECT max(size) FROM log_checkpoint)
      AND NOT EXISTS (SELECT FROM log_checkpoint_copy AS copy WHERE part = 'note' AND (copy.size = log_checkpoint.size
        OR copy.stored_at > clock_timestamp() - make_interval(secs => ${everySeconds})))`.execute(db);
  return rows[0];
}

async function newestCopied(db: Database): Promise<Head | undefined> {
  return db
    .selectFrom("logCheckpointCopy")
    .innerJoin("logCheckpoint", "logCheckpoint.size", "logCheckpointCopy.size")
    .select(["logCheckpoint.size", "root", "note", "signedAt"])
    .where("part", "=", "note")
    .orderBy("logCheckpointCopy.size", "desc")
    .limit(1)
    .executeTakeFirst();
}

async function tokenOf(db: Database, size: number): Promise<Buffer | undefined> {
  const row = await db.selectFrom("logCheckpointTimestamp").select("token").where("size", "=", size).executeTakeFirst();
  return row?.token;
}

async function timestamp({ db, timestamps, signal }: AnchorDependencies, head: Head): Promise<void> {
  const stamped = await timestamps.stamp(imprintsOf(Buffer.from(head.note)), signal);
  const { tokenDer, genTime, authority, independent, roots } = stamped;
  await db
    .insertInto("logCheckpointTimestamp")
    .values({
      ...{ size: head.size, token: tokenDer, generatedAt: genTime.toISOString(), authority, independent },
      roots: [...roots],
    })
    // Another process asked at the same time: one token is enough.
    .onConflict((conflict) => conflict.column("size").doNothing())
    .execute();
}

/**
 * Writes a part of a checkpoint into the store. The row that says where it is, is written in the transaction that ends
 * the intent; what a killed process leaves is swept by its intent, and another one may write then.
 */
async function copy(deps: AnchorDependencies, head: Head, part: Part, bytes: Buffer): Promise<void> {
  const { db, store, signal } = deps;
  if (await isCopied(db, head, part)) return;
  const key = copyKey(head, head.signedAt) + (part === "note" ? "" : ".tst");
  try {
    await beginIntent(db, key, "checkpoint");
  } catch (error) {
    if (isUniqueViolation(error)) return; // another process is at it, or a dead one's attempt waits for the sweeper
    throw error;
  }
  // The one who held the intent a moment ago may have made it since.
  if (await isCopied(db, head, part)) {
    await endIntent(db, key);
    return;
  }
  try {
    const stored = await store.put({
      ...{ key, body: once(bytes), sizeBytes: bytes.length, signal },
      sha256: createHash("sha256").update(bytes).digest("hex"),
      contentType: part === "note" ? "text/plain; charset=utf-8" : "application/timestamp-token",
    });
    await inTransaction(db, async (tx) => {
      if (!(await endIntent(tx, key))) throw new Error(`the write of ${key} was swept before it was recorded`);
      await tx
        .insertInto("logCheckpointCopy")
        .values({ size: head.size, part, objectKey: key, versionId: stored.versionId })
        .executeTakeFirstOrThrow();
    });
  } catch (error) {
    // From here on the sweeper has it, without waiting for a sign of life; unless the row was written after all.
    await abandonIntent(db, key).catch(deps.onError);
    throw error;
  }
}

async function isCopied(db: Database, { size }: Head, part: Part): Promise<boolean> {
  const row = await db
    .selectFrom("logCheckpointCopy")
    .select("size")
    .where("size", "=", size)
    .where("part", "=", part)
    .executeTakeFirst();
  return row !== undefined;
}

/** Locks copies that are not locked yet: a copy is recorded first, so that nothing is locked that no row knows. */
async function lockCopies({ db, store, retentionDays }: AnchorDependencies): Promise<void> {
  const waiting = await db
    .selectFrom("logCheckpointCopy")
    .select(["size", "part", "objectKey", "versionId", "storedAt"])
    .where("lockedUntil", "is", null)
    .execute();
  for (const { size, part, objectKey, versionId, storedAt } of waiting) {
    const until = new Date(new Date(storedAt).getTime() + retentionDays * 24 * 3_600_000);
    const lock = await store.lock({ key: objectKey, versionId }, until);
    await db
      .updateTable("logCheckpointCopy")
      .set({ lockedUntil: lock.until.toISOString() })
      .where("size", "=", size)
      .where("part", "=", part)
      .executeTakeFirstOrThrow();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
