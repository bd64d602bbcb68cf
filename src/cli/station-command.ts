import { DocksealError } from "#kernel";
import { parseTrust } from "#verify";
import { filesOf, type PushLine, pushFiles } from "./station-push.ts";
import { stopSignal } from "./stop-signal.ts";
import { textOf } from "./text-file.ts";

export interface StationPushOptions {
  readonly directory: string;
  readonly server: string;
  readonly tokenFile: string;
  readonly stateDir: string;
  readonly recorderSerial: string | undefined;
  readonly collectorNumber: string | undefined;
  readonly trustFile: string | undefined;
  readonly waitSeconds: number;
  readonly json: boolean;
}

/** `dockseal station push`: one line a file. @returns 0 when every file has a verified receipt, else 1. */
export async function stationPush(options: StationPushOptions): Promise<number> {
  if (!URL.canParse(options.server))
    throw new DocksealError("usage", { detail: "--server must be a URL such as http://127.0.0.1:8080" });
  const files = await filesOf(options.directory, {
    recorderSerial: options.recorderSerial ?? "unknown-recorder",
    collectorNumber: options.collectorNumber ?? "unknown-collector",
  });
  const trust = options.trustFile === undefined ? undefined : parseTrust(await textOf(options.trustFile));
  const lines = await pushFiles({
    ...options,
    token: (await textOf(options.tokenFile)).trim(),
    files,
    trust,
    signal: stopSignal(),
    onLine: (line) => print(line, options.json),
  });
  return lines.every((line) => line.receipt !== undefined) ? 0 : 1;
}

function print(line: PushLine, json: boolean): void {
  const { file, clipId, sha256, sizeBytes, state, receipt, problem } = line;
  if (json) {
    process.stdout.write(`${JSON.stringify({ file, clipId, sha256, sizeBytes, state, receipt, problem })}\n`);
    return;
  }
  const parts = [
    file,
    state,
    clipId,
    sha256,
    sizeBytes === undefined ? undefined : `${sizeBytes} bytes`,
    receipt,
    problem,
  ];
  process.stdout.write(`${parts.filter((part) => part !== undefined).join("  ")}\n`);
}
