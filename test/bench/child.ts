import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Endings } from "./endings.ts";

/** Starts a script of this folder as a process of its own, with a channel to it; it ends with the run. */
export function startChild(endings: Endings, script: string, environment: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, script)], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  endings.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  });
  return child;
}

/** The child's next message; rejects when it ends instead. */
export async function messageOf<T>(child: ChildProcess, script: string): Promise<T> {
  const over = new AbortController();
  const ended = once(child, "exit", { signal: over.signal }).then(() => {
    throw new Error(`${script} ended`);
  });
  try {
    const [message] = await Promise.race([once(child, "message", { signal: over.signal }), ended]);
    return message as T;
  } finally {
    ended.catch(() => undefined); // only of interest while we waited
    over.abort();
  }
}
