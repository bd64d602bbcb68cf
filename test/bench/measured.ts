import type { ChildProcess } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { pause } from "#kernel";

/** Clock ticks a second in /proc/PID/stat: 100 on every Linux that Node runs on (USER_HZ, proc(5)). */
const ticksPerSecond = 100;

export interface Usage {
  readonly peakRssMiB: number;
  readonly cpuSeconds: number;
}

/** Whose memory and time is measured. */
export interface Meter {
  /** @returns what is asked for the figures when the work is over. */
  start(): Promise<() => Promise<Usage>>;
}

/** The work's wall time, and what was used for it. */
export async function measured(
  meter: Meter | undefined,
  work: () => Promise<void>,
): Promise<{ seconds: number; usage: Usage | undefined }> {
  const stop = await meter?.start();
  const from = performance.now();
  await work();
  const seconds = (performance.now() - from) / 1000;
  return { seconds, usage: await stop?.() };
}

/** A process that was there before and stays. */
export function processMeter(pid: number): Meter {
  return {
    start: async () => {
      await forgetPeak(pid);
      const before = (await cpuSeconds(pid)).own;
      return async () => ({
        peakRssMiB: (await peakRssBytes(pid)) / 1024 ** 2,
        cpuSeconds: (await cpuSeconds(pid)).own - before,
      });
    },
  };
}

const lookEveryMs = 50;

/** Children of this process that live for the work alone. Their memory is the sum of what each held at most. */
export class ChildrenMeter implements Meter {
  #peakBytes = 0;

  async start(): Promise<() => Promise<Usage>> {
    this.#peakBytes = 0;
    const before = (await cpuSeconds("self")).children;
    return async () => ({
      peakRssMiB: this.#peakBytes / 1024 ** 2,
      cpuSeconds: (await cpuSeconds("self")).children - before,
    });
  }

  /** Looks at a child until it has ended: its memory cannot be asked for afterwards. */
  async follow(child: ChildProcess): Promise<void> {
    const { pid } = child;
    if (pid === undefined) return;
    let peakBytes = 0;
    while (child.exitCode === null && child.signalCode === null) {
      peakBytes = (await peakRssBytes(pid).catch(() => undefined)) ?? peakBytes; // it may have ended meanwhile
      await pause(lookEveryMs);
    }
    this.#peakBytes += peakBytes;
  }
}

/** Makes the kernel count the highest resident memory anew (proc(5), clear_refs). */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}

/** Highest resident memory since the start or {@link forgetPeak}. */
export async function peakRssBytes(pid: number): Promise<number> {
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kilobytes === undefined) throw new Error(`no VmHWM of process ${pid}`);
  return Number(kilobytes) * 1024;
}

/** User and system time of a process, and of those of its children that have ended. */
async function cpuSeconds(pid: number | "self"): Promise<{ own: number; children: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // After the name, which may hold anything: state is field 3; utime, stime, cutime and cstime are 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
  return { own: (user + system) / ticksPerSecond, children: (childUser + childSystem) / ticksPerSecond };
}
