import { randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type NoteSigner, noteKeyPair, parseSkey } from "#evidence";
import { DocksealError } from "#kernel";
import { replaceFile, writeOnce } from "./key-files.ts";

/** Where a log's signing keys are (C2SP signed-note, Ed25519). */
export interface LogKey {
  /** Name of the log, and of each of its keys. */
  readonly origin: string;
  /** Directory with `log.skey` and `log.head`. */
  readonly directory: string;
  /** The oldest verifier key that was there when it was opened: `<name>+<hash>+<base64>`. */
  readonly vkey: string;
}

const fileName = "log.skey";

/**
 * The log's key in that directory; made on first use. The name in it must be the configured origin.
 * @throws DocksealError `configuration-invalid` when it is another log's key.
 */
export async function logKeyIn(directory: string, origin: string): Promise<LogKey> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeOnce(join(directory, fileName), () => `${newSigningKey(origin)}\n`);
  const [{ vkey }] = await signersIn({ directory, origin });
  return { origin, directory, vkey };
}

/** A new signing key of that name, in its text form. */
export function newSigningKey(origin: string): string {
  return noteKeyPair(origin, randomBytes(32)).skey;
}

/**
 * The signing keys in the directory, one a line of the file, oldest first. Read each time: a key may have been added.
 * @throws DocksealError `configuration-invalid`.
 */
export async function signersIn({
  directory,
  origin,
}: Pick<LogKey, "directory" | "origin">): Promise<readonly [NoteSigner, ...NoteSigner[]]> {
  const path = join(directory, fileName);
  const [first, ...others] = (await signingKeysIn(directory)).map((skey) => parseSkey(skey));
  if (first === undefined) throw new DocksealError("configuration-invalid", { detail: `${path} holds no key` });
  for (const { name } of [first, ...others]) {
    if (name === origin) continue;
    throw new DocksealError("configuration-invalid", {
      detail: `${path} is the key of the log ${name}, but DOCKSEAL_LOG_ORIGIN says ${origin}`,
    });
  }
  return [first, ...others];
}

/** Text forms of the signing keys: secret. */
export async function signingKeysIn(directory: string): Promise<string[]> {
  return (await readFile(join(directory, fileName), "utf8")).split("\n").filter((line) => line !== "");
}

/** Replaces the file of signing keys, whole or not at all. */
export async function keepSigningKeys(directory: string, skeys: readonly string[]): Promise<void> {
  await replaceFile(join(directory, fileName), skeys.map((skey) => `${skey}\n`).join(""), 0o600);
}
