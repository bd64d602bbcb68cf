import type { Programs, RunLimits } from "./confine.ts";

/** How media tools are run; src/config has the operator's part of it. */
export interface MediaSettings {
  /** `require`: bubblewrap or nothing. `limits`: bubblewrap where it works, else resource limits alone. */
  readonly sandbox: "require" | "limits";
  /** Longest time of one run. */
  readonly wallSeconds: number;
  /** Processor time of one run, over all its threads. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  /** Largest derivative. */
  readonly fileBytes: number;
  /** Threads for decoding and for encoding. */
  readonly threads: number;
  /** Longest time of the strict pass that looks for defects; what it has not seen by then is said to be unchecked. */
  readonly strictSeconds: number;
  readonly programs?: Programs;
}

/** Settings for recordings of some hours in high definition, with what the caller says otherwise. */
export function mediaSettings(given: Partial<MediaSettings> & Pick<MediaSettings, "sandbox">): MediaSettings {
  const { wallSeconds = 14_400, threads = 2 } = given;
  return {
    cpuSeconds: wallSeconds * threads,
    memoryBytes: 4 * 1024 ** 3,
    fileBytes: 64 * 1024 ** 3,
    strictSeconds: 120,
    ...given,
    wallSeconds,
    threads,
  };
}

export function limitsOf(settings: MediaSettings, wallSeconds = settings.wallSeconds): RunLimits {
  const { cpuSeconds, memoryBytes, fileBytes } = settings;
  return { cpuSeconds, memoryBytes, fileBytes, wallSeconds: Math.min(wallSeconds, settings.wallSeconds) };
}
