import { readFile, writeFile } from "node:fs/promises";

/** Clock ticks a second in /proc/PID/stat: 100 on every Linux that Node runs on (USER_HZ, proc(5)). */
const ticksPerSecond = 100;

export interface Usage {
  readonly peakRssMiB: number;
  readonly cpuSeconds: number;
}

/**
 * What a process took while the work went on.
 * @returns also the work's wall time in seconds.
 */
export async function measured(
  pid: number | undefined,
  work: () => Promise<void>,
): Promise<{ seconds: number; usage: Usage | undefined }> {
  if (pid !== undefined) await forgetPeak(pid);
  const cpuBefore = pid === undefined ? 0 : await cpuSeconds(pid);
  const from = performance.now();
  await work();
  const seconds = (performance.now() - from) / 1000;
  if (pid === undefined) return { seconds, usage: undefined };
  const usage = { peakRssMiB: (await peakRssBytes(pid)) / 1024 ** 2, cpuSeconds: (await cpuSeconds(pid)) - cpuBefore };
  return { seconds, usage };
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

async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // After the name, which may hold anything: state is field 3, utime and stime are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
