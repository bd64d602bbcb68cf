import { sql } from "kysely";
import { type Database, inTransaction } from "#db";
import { parseSkey, parseVkey } from "#evidence";
import { DocksealError, newId } from "#kernel";
import { appendEvent } from "./append.ts";
import { holdKeys, type KeyOfLog, keysOfLog, requireKeyOfLog } from "./keys-of-log.ts";
import { keepSigningKeys, type LogKey, newSigningKey, signersIn, signingKeysIn } from "./log-key.ts";

const actor = { type: "system", id: "log-key" } as const;

/**
 * Adds a key of the same name: from the next checkpoint on it signs beside the others. Killed half-way, the next run
 * takes the key that lies in the file already.
 * @returns the new verifier key.
 */
export async function rotateLogKey(db: Database, key: LogKey): Promise<string> {
  await requireKeyOfLog(db, key);
  return inTransaction(db, async (tx) => {
    await holdKeys(tx);
    const known = new Set((await keysOfLog(tx)).map(({ vkey }) => vkey));
    const skeys = await signingKeysIn(key.directory);
    let added = skeys.find((skey) => !known.has(parseSkey(skey).vkey));
    if (added === undefined) {
      added = newSigningKey(key.origin);
      // The file before the table: what the table names can always sign.
      await keepSigningKeys(key.directory, [...skeys, added]);
    }
    const { vkey } = parseSkey(added);
    const id = newId();
    await tx.insertInto("logKey").values({ id, vkey }).executeTakeFirstOrThrow();
    await appendEvent(tx, { type: "log.key-added", subject: { key: id }, actor, details: { vkey } });
    return vkey;
  });
}

/**
 * Retires a key: it signs no more, and its secret is removed from the directory.
 * @param keyId its 8 hex digits, as they stand in the verifier key.
 * @throws DocksealError `usage` when there is no such key, or no other one.
 */
export async function retireLogKey(db: Database, key: LogKey, keyId: string): Promise<KeyOfLog> {
  await requireKeyOfLog(db, key);
  const retired = await inTransaction(db, async (tx) => {
    await holdKeys(tx);
    const current = (await keysOfLog(tx)).filter(({ retiredAt }) => retiredAt === null);
    const row = current.find(({ vkey }) => parseVkey(vkey).id.toString("hex") === keyId);
    if (row === undefined) throw new DocksealError("usage", { detail: `no key ${keyId} signs this log` });
    if (current.length === 1) {
      throw new DocksealError("usage", {
        detail: "the only key of a log cannot retire: run `dockseal log-key rotate` first",
      });
    }
    const here = new Set((await signersIn(key)).map(({ vkey }) => vkey));
    if (!current.some(({ id, vkey }) => id !== row.id && here.has(vkey))) {
      throw new DocksealError("usage", { detail: `the other key of the log is not in ${key.directory}` });
    }
    await tx
      .updateTable("logKey")
      .set({ retiredAt: sql<string>`clock_timestamp()` })
      .where("id", "=", row.id)
      .executeTakeFirstOrThrow();
    await appendEvent(tx, { type: "log.key-retired", subject: { key: row.id }, actor, details: { vkey: row.vkey } });
    return row;
  });
  await forgetRetired(db, key);
  return retired;
}

/** Removes the secrets of retired keys from the directory. */
export function forgetRetired(db: Database, key: LogKey): Promise<void> {
  return inTransaction(db, async (tx) => {
    await holdKeys(tx);
    const keys = await keysOfLog(tx);
    const gone = new Set(keys.filter(({ retiredAt }) => retiredAt !== null).map(({ vkey }) => vkey));
    const skeys = await signingKeysIn(key.directory);
    const kept = skeys.filter((skey) => !gone.has(parseSkey(skey).vkey));
    if (kept.length < skeys.length) await keepSigningKeys(key.directory, kept);
  });
}
