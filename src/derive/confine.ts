import { type ChildProcess, spawn } from "node:child_process";
import { constants as osConstants } from "node:os";
import { resolve } from "node:path";
import type { Readable } from "node:stream";

/** What stood between a media tool and the machine: namespaces and limits, limits alone, or nothing that works. */
export type SandboxLevel = "bubblewrap" | "limits" | "none";

/** Absolute paths of the programs; another place of ffmpeg must lie under /usr, which is all of the system it sees. */
export interface Programs {
  readonly ffmpeg: string;
  readonly ffprobe: string;
  readonly bwrap: string;
  readonly prlimit: string;
  readonly setpriv: string;
}

export const debianPrograms: Programs = {
  ffmpeg: "/usr/bin/ffmpeg",
  ffprobe: "/usr/bin/ffprobe",
  bwrap: "/usr/bin/bwrap",
  prlimit: "/usr/bin/prlimit",
  setpriv: "/usr/bin/setpriv",
};

/** Limits of one run. The kernel enforces the first three (setrlimit(2)), we the last. */
export interface RunLimits {
  readonly cpuSeconds: number;
  /** Address space, not resident memory; ffmpeg's libraries alone map about 400 MiB. */
  readonly memoryBytes: number;
  /** Of each file written. */
  readonly fileBytes: number;
  readonly wallSeconds: number;
}

export interface Progress {
  /** How much of the output is written, in its own time. */
  readonly outSeconds: number;
  readonly writtenBytes: number;
}

export interface SandboxedRun {
  readonly tool: "ffmpeg" | "ffprobe";
  /** Made by us alone, with the neutral paths {@link inputPath} and {@link outputPath}: no text of a user or a file. */
  readonly args: readonly string[];
  /** Files of this machine, seen inside as `/in/0`, `/in/1`, … and read-only. */
  readonly readOnly: readonly string[];
  /** Directory of this machine, seen inside as `/out`: the one place that can be written. Absent: nothing can. */
  readonly writableDir?: string;
  readonly limits: RunLimits;
  /** `require`: bubblewrap or nothing. `limits`: bubblewrap where it works, else resource limits alone. */
  readonly sandbox: "require" | "limits";
  readonly signal: AbortSignal;
  /** Called as ffmpeg reports; the arguments need not ask for it. */
  readonly onProgress?: (progress: Progress) => void;
  /** Longest standard output that is kept; a tool that says more is killed. */
  readonly stdoutMaxBytes?: number;
  /** Takes standard output as it comes, instead of keeping it. */
  readonly onStdout?: (chunk: Buffer) => void;
  readonly programs?: Programs;
}

export interface RunResult {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  /** The last 64 KiB of what it complained about. */
  readonly stderrTail: string;
  readonly level: Exclude<SandboxLevel, "none">;
  readonly wallMs: number;
  readonly timedOut: boolean;
  /** It was killed because it said more than `stdoutMaxBytes`. */
  readonly stdoutOverflowed: boolean;
}

const stderrTailBytes = 64 * 1024;

/** The path inside of the n-th file of `readOnly`. */
export function inputPath(index = 0): string {
  return `/in/${index}`;
}

/** The path inside of a file in `writableDir`. */
export function outputPath(name: string): string {
  return `/out/${name}`;
}

/**
 * Runs a media tool at a level that the caller has chosen (src/derive/sandbox.ts chooses by what was seen to work)
 * and waits for its end. Whatever ends the wait, no process is left behind.
 * @throws the reason of `signal`; an error of spawn(2).
 */
export async function runConfined(level: Exclude<SandboxLevel, "none">, run: SandboxedRun): Promise<RunResult> {
  const argv = commandLine(level, run);
  const started = performance.now();
  // `detached` is setsid(2): one group to kill, and no terminal to inject keys into.
  const child = spawn(argv[0] ?? "", argv.slice(1), {
    detached: true,
    cwd: "/",
    env: { HOME: "/nonexistent", LC_ALL: "C.UTF-8", TZ: "UTC", MALLOC_ARENA_MAX: "2" },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const stdout: Buffer[] = [];
  let stdoutBytes = 0;
  let stderrTail = Buffer.alloc(0);
  let timedOut = false;
  let stdoutOverflowed = false;

  child.stdout?.on("data", (chunk: Buffer) => {
    if (run.onStdout !== undefined) return run.onStdout(chunk);
    stdoutBytes += chunk.length;
    if (stdoutBytes > (run.stdoutMaxBytes ?? 0)) {
      stdoutOverflowed = true;
      killGroup(child);
    } else stdout.push(chunk);
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderrTail = Buffer.concat([stderrTail, chunk]).subarray(-stderrTailBytes);
  });
  readProgress(child.stdio[3] as Readable, run.onProgress);

  // setTimeout takes a longer time than 2³¹ ms for none at all.
  const wallMs = Math.min(run.limits.wallSeconds * 1000, 2 ** 31 - 1);
  const wall = setTimeout(() => {
    timedOut = true;
    killGroup(child);
  }, wallMs);
  const abort = () => killGroup(child);
  run.signal.addEventListener("abort", abort, { once: true });
  try {
    // "close" comes when the last holder of the pipes is gone, not only the first process of the chain.
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((ended, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => ended([code, signal]));
      if (run.signal.aborted) abort();
    });
    run.signal.throwIfAborted();
    return {
      ...exitOf(level, code, signal),
      stdout: Buffer.concat(stdout),
      stderrTail: stderrTail.toString("utf8"),
      level,
      wallMs: Math.round(performance.now() - started),
      timedOut,
      stdoutOverflowed,
    };
  } finally {
    clearTimeout(wall);
    run.signal.removeEventListener("abort", abort);
  }
}

/** setpriv → prlimit → bwrap → the tool; each replaces or confines the one before. */
function commandLine(level: Exclude<SandboxLevel, "none">, run: SandboxedRun): string[] {
  const programs = run.programs ?? debianPrograms;
  const { cpuSeconds, memoryBytes, fileBytes } = run.limits;
  const confine = [
    // The first of the chain dies with us even when we are killed with SIGKILL; bwrap hands that on.
    ...[programs.setpriv, "--pdeathsig", "KILL", "--"],
    ...[programs.prlimit, `--cpu=${Math.ceil(cpuSeconds)}`, `--as=${memoryBytes}`, `--fsize=${fileBytes}`],
    ...["--nofile=256", "--core=0", "--"],
  ];
  const progress = run.tool === "ffmpeg" && run.onProgress !== undefined ? ["-progress", "pipe:3"] : [];
  const tool = [programs[run.tool], ...progress, ...run.args];
  if (level === "limits") return [...confine, ...tool.map((arg) => pathOutside(arg, run))];
  return [
    ...confine,
    // No --new-session: we lead a session already, and a second one would take the sandbox out of the group that we
    // kill, in the instant before it learns to die with its parent (containers/bubblewrap#633).
    ...[programs.bwrap, "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"],
    ...["--ro-bind", "/usr", "/usr", "--ro-bind-try", "/lib", "/lib", "--ro-bind-try", "/lib64", "/lib64"],
    ...["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"],
    ...["--ro-bind-try", "/etc/ld.so.conf", "/etc/ld.so.conf"],
    ...["--ro-bind-try", "/etc/ld.so.conf.d", "/etc/ld.so.conf.d"],
    // Debian's libblas, which ffmpeg is linked with, is a link through this directory.
    ...["--ro-bind-try", "/etc/alternatives", "/etc/alternatives"],
    ...["--dev", "/dev"],
    ...run.readOnly.flatMap((path, index) => ["--ro-bind", resolve(path), inputPath(index)]),
    ...(run.writableDir === undefined ? [] : ["--bind", resolve(run.writableDir), "/out"]),
    ...["--remount-ro", "/", "--chdir", "/", "--"],
    ...tool,
  ];
}

/** Without namespaces the neutral paths do not exist: the same argument with the path of this machine. */
function pathOutside(arg: string, run: SandboxedRun): string {
  const input = /^\/in\/(\d+)$/.exec(arg)?.[1];
  const file = input === undefined ? undefined : run.readOnly[Number(input)];
  if (file !== undefined) return resolve(file);
  if (arg.startsWith("/out/") && run.writableDir !== undefined)
    return resolve(run.writableDir, arg.slice("/out/".length));
  return arg;
}

/** bwrap says 128 + n for a tool that signal n ended, as a shell does. */
function exitOf(level: SandboxLevel, code: number | null, signal: NodeJS.Signals | null) {
  const number = level === "bubblewrap" && code !== null ? code - 128 : 0;
  const name = Object.entries(osConstants.signals).find(([, value]) => value === number)?.[0];
  if (number <= 0 || name === undefined) return { exitCode: code, signal };
  return { exitCode: null, signal: name as NodeJS.Signals };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    // The whole group is gone already: that is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** ffmpeg's `-progress`: lines of key=value; a block ends with `progress=continue` or `progress=end`. */
function readProgress(stream: Readable, onProgress: SandboxedRun["onProgress"]): void {
  let rest = "";
  let outSeconds = 0;
  let writtenBytes = 0;
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(-256);
    for (const line of lines) {
      const [key, value] = line.split("=", 2);
      const number = Number(value);
      if (key === "out_time_us" && Number.isFinite(number)) outSeconds = Math.max(0, number / 1_000_000);
      else if (key === "total_size" && Number.isFinite(number)) writtenBytes = number;
      else if (key === "progress") onProgress?.({ outSeconds, writtenBytes });
    }
  });
}
