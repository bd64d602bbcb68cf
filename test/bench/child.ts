import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Endings } from "./endings.ts";

export interface ChildOptions {
  /** Path of the script. */
  readonly script: string;
  readonly args?: readonly string[];
  /** What Node is started with. */
  readonly flags?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Where its complaints go; default: to ours. */
  readonly stderr?: number;
}

/** A Node process with a channel to us. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly process: ChildProcess;
  readonly stdout: Readable;
}

/** Starts a script as a process of its own; it ends with the run. */
export function startChild(endings: Endings, options: ChildOptions): Child {
  const { script, args = [], flags = [], environment, stderr = "inherit" } = options;
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("DOCKSEAL_"));
  const child = spawn(process.execPath, [...flags, script, ...args], {
    env: { ...Object.fromEntries(inherited), NODE_V8_COVERAGE: "", ...environment },
    stdio: ["ignore", "pipe", stderr, "ipc"],
  });
  endings.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  });
  const { pid, stdout } = child;
  if (pid === undefined || stdout === null) throw new Error(`${script} could not be started`);
  return { name: basename(script), pid, process: child, stdout };
}

/** The child's next message. */
export function messageOf<T>(child: Child): Promise<T> {
  return unlessEnded(child, async (signal) => {
    const [message] = await once(child.process, "message", { signal });
    return message as T;
  });
}

/** The first line that the child writes. */
export function firstLineOf(child: Child): Promise<string> {
  return unlessEnded(child, async (signal) => {
    const [line] = await once(createInterface({ input: child.stdout }), "line", { signal });
    return line as string;
  });
}

async function unlessEnded<T>(child: Child, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  const ended = once(child.process, "exit", { signal: over.signal }).then(([code, signal]) => {
    throw new Error(`${child.name} ended by itself (${code ?? signal})`);
  });
  try {
    return await Promise.race([work(over.signal), ended]);
  } finally {
    ended.catch(() => undefined); // only of interest while we waited
    over.abort();
  }
}
