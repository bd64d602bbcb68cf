import { stat } from "node:fs/promises";
import { DocksealError } from "#kernel";
import { type AgentOptions, type Defaults, filesOf, ProgressBar, pushFiles, type StationLine, watch } from "#station";
import { parseTrust } from "#verify";
import { stopSignal } from "./stop-signal.ts";
import { textOf } from "./text-file.ts";

export interface StationOptions {
  readonly directory: string;
  readonly server: string;
  readonly tokenFile: string;
  readonly stateDir: string;
  readonly recorderSerial: string | undefined;
  readonly collectorNumber: string | undefined;
  readonly trustFile: string | undefined;
  readonly parallel: number | undefined;
  readonly limitMibPerSecond: number | undefined;
  readonly zone: string | undefined;
  /** What the recorder's clock shows now, RFC 3339. */
  readonly recorderClock: string | undefined;
  readonly json: boolean;
}

export interface StationPushOptions extends StationOptions {
  readonly waitSeconds: number;
}

export interface StationWatchOptions extends StationOptions {
  readonly quietSeconds: number;
  /** A number with `s`, `m`, `h` or `d`. */
  readonly wipeAfter: string | undefined;
  readonly wipeIncomplete: boolean;
}

/** `dockseal station push`: one line a file. @returns 0 when every file has a verified receipt, else 1. */
export async function stationPush(options: StationPushOptions): Promise<number> {
  const defaults = defaultsOf(options);
  const found = await filesOf(options.directory, defaults);
  const sizes = await Promise.all(found.map(({ path }) => stat(path).then(({ size }) => size)));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const lines = await pushFiles({
    ...(await agentOptions(options, total)),
    files: (serverClock) => filesOf(options.directory, { ...defaults, serverClock }),
    waitSeconds: options.waitSeconds,
  });
  return lines.every((line) => line.receipt !== undefined) ? 0 : 1;
}

/** `dockseal station watch`: until it is told to stop. */
export async function stationWatch(options: StationWatchOptions): Promise<number> {
  const { wipeAfter, wipeIncomplete } = options;
  if (wipeAfter !== undefined && options.trustFile === undefined) {
    const detail = "--wipe-after needs --trust FILE: without keys from elsewhere no receipt proves anything";
    throw new DocksealError("usage", { detail });
  }
  if (wipeAfter === undefined && wipeIncomplete)
    throw new DocksealError("usage", { detail: "--wipe-incomplete goes with --wipe-after" });
  await watch({
    ...(await agentOptions(options, undefined)),
    directory: options.directory,
    defaults: defaultsOf(options),
    quietMs: options.quietSeconds * 1000,
    lookEveryMs: Math.min(2000, Math.max(100, options.quietSeconds * 250)),
    wipe: wipeAfter === undefined ? undefined : { afterMs: durationMs(wipeAfter), incomplete: wipeIncomplete },
  });
  return 0;
}

async function agentOptions(options: StationOptions, totalBytes: number | undefined): Promise<AgentOptions> {
  if (!URL.canParse(options.server))
    throw new DocksealError("usage", { detail: "--server must be a URL such as http://127.0.0.1:8080" });
  for (const [name, value] of [
    ["--parallel", options.parallel],
    ["--limit", options.limitMibPerSecond],
  ] as const) {
    if (value === 0) throw new DocksealError("usage", { detail: `${name} must be at least 1` });
  }
  const { trustFile, limitMibPerSecond, json } = options;
  const bar =
    process.stderr.isTTY && !json ? new ProgressBar((text) => process.stderr.write(text), totalBytes) : undefined;
  return {
    server: options.server,
    token: (await textOf(options.tokenFile)).trim(),
    stateDir: options.stateDir,
    trust: trustFile === undefined ? undefined : parseTrust(await textOf(trustFile)),
    parallel: options.parallel,
    bytesPerSecond: limitMibPerSecond === undefined ? undefined : limitMibPerSecond * 1024 * 1024,
    signal: stopSignal(),
    onBytes: (count) => bar?.add(count),
    onLine: (line) => {
      bar?.clear();
      print(line, json);
    },
  };
}

function defaultsOf({ recorderSerial, collectorNumber, zone, recorderClock }: StationOptions): Defaults {
  if (recorderClock !== undefined && !/T.*(?:Z|[+-]\d\d:\d\d)$/.test(recorderClock))
    throw new DocksealError("usage", {
      detail: "--recorder-clock must be RFC 3339, such as 2026-11-21T09:30:00+08:00",
    });
  return {
    recorderSerial: recorderSerial ?? "unknown-recorder",
    collectorNumber: collectorNumber ?? "unknown-collector",
    zone,
    recorderClock: recorderClock === undefined ? undefined : { shows: recorderClock, at: new Date().toISOString() },
  };
}

function durationMs(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined)
    throw new DocksealError("usage", { detail: "--wipe-after must be a number with s, m, h or d, such as 7d" });
  return Number(count) * { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as "s" | "m" | "h" | "d"];
}

function print(line: StationLine, json: boolean): void {
  const { file, clipId, sha256, sizeBytes, state, receipt, unreadableRanges, problem } = line;
  if (json) {
    const members = { file, clipId, sha256, sizeBytes, state, receipt, unreadableRanges, problem };
    process.stdout.write(`${JSON.stringify(members)}\n`);
    return;
  }
  const parts = [
    file,
    state,
    clipId,
    sha256,
    sizeBytes === undefined ? undefined : `${sizeBytes} bytes`,
    receipt,
    unreadableRanges === undefined ? undefined : `${unreadableRanges.length} unreadable ranges`,
    problem,
  ];
  process.stdout.write(`${parts.filter((part) => part !== undefined).join("  ")}\n`);
}
