import { sql } from "kysely";
import { type Database, inTransaction, type Tx } from "#db";
import { type NoteSigner, openCheckpoint, parseNote, parseVkey } from "#evidence";
import { DocksealError, newId } from "#kernel";
import { lastCheckpoint } from "./checkpoints.ts";
import { type LogKey, signersIn } from "./log-key.ts";

/** A key that signs checkpoints, or did. */
export interface KeyOfLog {
  readonly id: string;
  readonly vkey: string;
  readonly addedAt: string;
  /** Null while it signs. */
  readonly retiredAt: string | null;
}

/** Every key that ever signed the log, oldest first. */
export function keysOfLog(db: Database | Tx): Promise<KeyOfLog[]> {
  return db
    .selectFrom("logKey")
    .select(["id", "vkey", "addedAt", "retiredAt"])
    .orderBy("addedAt")
    .orderBy("id")
    .execute();
}

/** Verifier keys of the next checkpoint, oldest first. */
export async function currentVkeys(db: Database | Tx): Promise<string[]> {
  return (await keysOfLog(db)).filter((key) => key.retiredAt === null).map((key) => key.vkey);
}

/** Who changes the keys of the log does so alone: "dock" and "keys" as two 32-bit numbers. */
export async function holdKeys(tx: Tx): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(1685021547, 1801812339)`.execute(tx);
}

/**
 * Refuses a key that does not sign the log: a lost key directory must not silently begin a second history. The first
 * key of a log is noted here.
 * @throws DocksealError `configuration-invalid`.
 */
export function requireKeyOfLog(db: Database, key: LogKey): Promise<void> {
  return inTransaction(db, (tx) => ensureFirstKey(tx, key));
}

async function ensureFirstKey(tx: Tx, key: LogKey): Promise<void> {
  const kept = new Set((await signersIn(key)).map(({ vkey }) => vkey));
  let current = await currentVkeys(tx);
  if (current.length === 0) {
    await holdKeys(tx);
    current = await currentVkeys(tx); // another process may have been first
  }
  if (current.some((vkey) => kept.has(vkey))) return;
  const last = await lastCheckpoint(tx);
  if (current.length > 0) throw notItsKey(last?.size);
  if (last !== undefined) {
    try {
      openCheckpoint(last.note, [key.vkey], key.origin);
    } catch (error) {
      throw notItsKey(last.size, error);
    }
  }
  await tx.insertInto("logKey").values({ id: newId(), vkey: key.vkey }).executeTakeFirstOrThrow();
}

function notItsKey(size: number | undefined, cause?: unknown): DocksealError {
  return new DocksealError("configuration-invalid", {
    detail: `The key in DOCKSEAL_KEYS_DIR did not sign this database's log (checkpoint of size ${size ?? 0}). Restore the key directory that belongs to it.`,
    cause,
  });
}

/**
 * Who signs the next checkpoint: every key that is not retired, oldest first.
 * @throws DocksealError `configuration-invalid` when one of them is not in the directory: a copy of the directory that is
 *   older than the last change of keys.
 */
export async function currentSigners(tx: Tx, key: LogKey): Promise<NoteSigner[]> {
  await ensureFirstKey(tx, key);
  const vkeys = await currentVkeys(tx);
  // The file is written before the table when a key is added: read after it, it has them all.
  const kept = await signersIn(key);
  return vkeys.map((vkey) => {
    const signer = kept.find((candidate) => candidate.vkey === vkey);
    if (signer !== undefined) return signer;
    throw new DocksealError("configuration-invalid", {
      detail: `The key ${vkey} signs this log and is not in ${key.directory}: copy the whole key directory from where \`dockseal log-key rotate\` ran`,
    });
  });
}

/** The key of the log that signed a checkpoint: the first one in the note, so the same on every call. */
export async function vkeyThatSigned(db: Database | Tx, note: string): Promise<string> {
  const keys = (await keysOfLog(db)).map(({ vkey }) => ({ vkey, ...parseVkey(vkey) }));
  for (const { name, id } of parseNote(note).signatures) {
    const signed = keys.find((key) => key.name === name && key.id.equals(id));
    if (signed !== undefined) return signed.vkey;
  }
  throw new DocksealError("internal", {
    detail: "a checkpoint is signed by no key that is known to have signed the log",
  });
}
