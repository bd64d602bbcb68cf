import { randomBytes } from "node:crypto";
import { chown, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type BinariesDir,
  findRunAs,
  type RunAs,
  runProgram,
  type ServerAccount,
  unusable,
  wordsOf,
} from "./embedded-binaries.ts";
import { textOf } from "./embedded-owner.ts";

export const superuser = "dockseal";

/** The superuser's password, when a server was set up in `dir`. */
export async function keptPassword(dir: string): Promise<string | undefined> {
  const kept = await textOf(join(dir, "credentials.json"));
  return kept === undefined ? undefined : (JSON.parse(kept) as { password: string }).password;
}

/** The password is made once, before the cluster is: a crash in between leaves no cluster without its password. */
export async function superuserPassword(dir: string): Promise<string> {
  const kept = await keptPassword(dir);
  if (kept !== undefined) return kept;
  const file = join(dir, "credentials.json");
  if (await clusterExists(dir)) throw unusable(`${file} is missing, so nobody can open the database beside it`);
  const password = randomBytes(24).toString("base64url");
  await writeFile(`${file}.new`, JSON.stringify({ user: superuser, password }), { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
  return password;
}

/**
 * Makes `pgdata` in `dir` unless it is there; under another name first, so that a crash in the middle leaves no half
 * cluster.
 * @returns how to run the server on it.
 */
export async function createCluster(
  dir: string,
  binaries: BinariesDir,
  account: ServerAccount | undefined,
  password: string,
): Promise<RunAs> {
  const pgdata = join(dir, "pgdata");
  if (await clusterExists(dir)) {
    if (account !== undefined && (await stat(pgdata)).uid !== account.uid) {
      await runProgram(["chown", "-R", `${account.uid}:${account.gid}`, pgdata]);
    }
    return await findRunAs(binaries, account, pgdata);
  }
  const [unfinished, passwordFile] = [join(dir, "pgdata.new"), join(dir, "initdb.password")];
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  try {
    if (account !== undefined) {
      for (const path of [unfinished, passwordFile]) await chown(path, account.uid, account.gid);
    }
    const runAs = await findRunAs(binaries, account, unfinished);
    // The builtin provider sorts the same on every machine; an upgrade of libc or ICU cannot corrupt an index.
    const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    const access = [`--username=${superuser}`, `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
    const initdb = [join(binaries, "bin/initdb"), `--pgdata=${unfinished}`, "--data-checksums", ...locale, ...access];
    await runProgram([...runAs, ...initdb]).catch((error: unknown) => {
      throw unusable(`the database in ${dir} could not be made: ${wordsOf(error)}`, error);
    });
    await rename(unfinished, pgdata);
    return runAs;
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** initdb writes PG_VERSION; the server refuses a version that is not its own, in words of its own. */
async function clusterExists(dir: string): Promise<boolean> {
  return (await textOf(join(dir, "pgdata/PG_VERSION"))) !== undefined;
}
