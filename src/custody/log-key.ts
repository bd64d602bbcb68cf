import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Database } from "#db";
import { type NoteSigner, noteKeyPair, openCheckpoint, parseSkey } from "#evidence";
import { DocksealError, newId } from "#kernel";
import { lastCheckpoint } from "./sequencer.ts";

/** The key that signs checkpoints of the custody log (C2SP signed-note, Ed25519). */
export interface LogKey {
  readonly origin: string;
  readonly signer: NoteSigner;
  /** The verifier key, for trust files: `<name>+<hash>+<base64>`. */
  readonly vkey: string;
}

const fileName = "log.skey";

/**
 * The log's key in that directory; made on first use. The name in it must be the configured origin.
 * @throws DocksealError `configuration-invalid` when it is another log's key.
 */
export async function logKeyIn(directory: string, origin: string): Promise<LogKey> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, fileName);
  await writeOnce(path, () => noteKeyPair(origin, randomBytes(32)).skey);
  const skey = (await readFile(path, "utf8")).trim();
  const signer = parseSkey(skey);
  if (signer.name !== origin) {
    throw new DocksealError("configuration-invalid", {
      detail: `${path} is the key of the log ${signer.name}, but DOCKSEAL_LOG_ORIGIN says ${origin}`,
    });
  }
  return { origin, signer, vkey: signer.vkey };
}

/**
 * Refuses a key that did not sign the log so far: a lost key directory must not silently begin a second history.
 * @throws DocksealError `configuration-invalid`.
 */
export async function requireKeyOfLog(db: Database, key: LogKey): Promise<void> {
  const last = await lastCheckpoint(db);
  if (last === undefined) return;
  try {
    openCheckpoint(last.note, [key.vkey], key.origin);
  } catch (error) {
    throw new DocksealError("configuration-invalid", {
      detail: `The key in DOCKSEAL_KEYS_DIR did not sign this database's log (checkpoint of size ${last.size}). Restore the key directory that belongs to it.`,
      cause: error,
    });
  }
}

/** Creates a secret file whole or not at all; when it exists already, it stays. Two processes may try at once. */
export async function writeOnce(path: string, content: () => string | Promise<string>): Promise<void> {
  const exists = await open(path, "r").then(
    (file) => file.close().then(() => true),
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
  if (exists) return;
  const temporary = `${path}.${newId()}`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(await content());
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(temporary);
  }
}
