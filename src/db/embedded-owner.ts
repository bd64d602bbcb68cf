import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { DocksealError, pause } from "#kernel";
import { codeOf, runProgram } from "./embedded-binaries.ts";

const stopSteps = [
  ["SIGINT", 30_000], // fast shutdown: rolls back, writes a checkpoint
  ["SIGQUIT", 6_000], // immediate: recovery at the next start
  ["SIGKILL", 5_000],
] as const;

/**
 * Makes this process the owner of `dir`; two owners would end each other's server.
 * @returns what gives it up again.
 * @throws DocksealError `configuration-invalid` while another living process owns it.
 */
export async function claim(dir: string): Promise<() => Promise<void>> {
  const file = join(dir, "owner.json");
  const mine = JSON.stringify({ pid: process.pid, startedAt: await startOf(process.pid) });
  for (let attempt = 1; ; attempt++) {
    try {
      await writeFile(file, mine, { flag: "wx", mode: 0o600 });
      return () => rm(file, { force: true });
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    const owner = await livingOwner(dir);
    if (owner !== undefined || attempt === 3) {
      const detail = `the data directory ${dir} is in use by process ${owner ?? "unknown"}; stop that one first`;
      throw new DocksealError("configuration-invalid", { detail });
    }
    await rm(file, { force: true });
  }
}

/** The process that owns `dir`, if it lives. */
export async function livingOwner(dir: string): Promise<number | undefined> {
  const text = await textOf(join(dir, "owner.json"));
  if (text === undefined || text === "") return undefined; // empty: its writer was killed before it wrote
  const { pid, startedAt } = JSON.parse(text) as { pid: number; startedAt: string };
  return startedAt !== "" && (await startOf(pid)) === startedAt ? pid : undefined;
}

/** A postmaster of this directory that its owner left behind is ended, so that the next one has our settings. */
export async function endOrphan(dir: string, log: Pick<Logger, "warn">): Promise<void> {
  const file = join(dir, "pgdata/postmaster.pid");
  const lines = (await textOf(file))?.split("\n") ?? [];
  const pid = Number(lines[0] ?? 0);
  if (!(pid > 0)) return;
  if (await isPostmasterOf(dir, pid)) {
    log.warn({ pid, dataDir: dir }, "ending an embedded PostgreSQL that was left behind");
    await endPostmaster(pid, async () => !(await isPostmasterOf(dir, pid)));
  } else if ((await startOf(pid)) !== "") {
    // The number belongs to a stranger by now (in a container pids start over), and PostgreSQL would not start. Its own
    // parent's pid it knows to be stale. The rest of the file stays: by it PostgreSQL finds backends that still run
    // (src/backend/utils/init/miscinit.c, CreateLockFile).
    await writeFile(file, [process.pid, ...lines.slice(1)].join("\n"));
  }
}

/** Ends a postmaster, more roughly the longer it takes. */
export async function endPostmaster(pid: number, ended: () => boolean | Promise<boolean>): Promise<void> {
  for (const [signal, deadlineMs] of stopSteps) {
    if (await ended()) return;
    signalTo(pid, signal);
    for (const until = Date.now() + deadlineMs; Date.now() < until; await pause(20)) if (await ended()) return;
  }
  throw new DocksealError("database-unavailable", { detail: `PostgreSQL, process ${pid}, does not end` });
}

async function isPostmasterOf(dir: string, pid: number): Promise<boolean> {
  const words =
    process.platform === "linux"
      ? ((await textOf(`/proc/${pid}/cmdline`)) ?? "").split("\0") // empty for a zombie
      : (await ps(pid, "args=")).split(" ");
  return words.some((word) => word.endsWith("/bin/postgres")) && words.includes(join(dir, "pgdata"));
}

/** When a process started, in the system's words: together with the pid it names one process. Empty: no such process. */
async function startOf(pid: number): Promise<string> {
  if (process.platform !== "linux") return await ps(pid, "lstart=");
  const fields = (await textOf(`/proc/${pid}/stat`))?.split(") ").at(-1)?.split(" "); // after the name, which may hold anything
  // Field 22, start time in ticks since boot (proc_pid_stat(5)); the boot id tells one boot from the next.
  return fields === undefined ? "" : `${(await textOf("/proc/sys/kernel/random/boot_id"))?.trim()} ${fields[19]}`;
}

async function ps(pid: number, what: string): Promise<string> {
  return await runProgram(["ps", "-ww", "-o", what, "-p", String(pid)]).then(
    (found) => found.trim(),
    () => "", // `ps` exits 1 when there is no such process
  );
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error; // ended by itself meanwhile
  }
}

/** Content of a small file; undefined when it does not exist. */
export async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ESRCH") return undefined; // ESRCH: a file of /proc whose process ended
    throw error;
  }
}
