import { userInfo } from "node:os";
import { resolve } from "node:path";
import { caseByNumber } from "#cases";
import { configFromEnvironment, parseConfig } from "#config";
import { type ExportProgress, exportToDirectory, type Subject } from "#export";
import { clipRecord } from "#ingest";
import { DocksealError, isProblem, type ProblemCode, systemClock } from "#kernel";
import { exportSignerIn } from "#seal";
import { environmentOf } from "./installation.ts";
import { newLogger } from "./logger.ts";
import { openPlatform, type Platform, timestampSourceOf } from "./platform.ts";
import { stopSignal } from "./stop-signal.ts";

export interface ExportOptions {
  readonly caseNumber: string | undefined;
  readonly organization: string | undefined;
  readonly clipId: string | undefined;
  readonly outDir: string;
  /** Of an installation that runs; without it, the environment says where everything is. */
  readonly dataDir: string | undefined;
  readonly json: boolean;
}

/** Looked at and not fit: exit code 1, where everything else that stops an export is 2. */
const unfit: readonly ProblemCode[] = ["object-differs", "object-missing", "quarantined", "export-refused"];

/**
 * `dockseal export`: the bag of a case or clip as a folder. Prints the folder; progress goes to standard error.
 * @returns 0; 1 when what is stored is not fit to be exported.
 */
export async function exportBag(options: ExportOptions): Promise<number> {
  const stop = stopSignal();
  const config =
    options.dataDir === undefined ? configFromEnvironment() : parseConfig(await environmentOf(options.dataDir));
  const logger = newLogger("export", "warn");
  const platform = await openPlatform(config, logger);
  try {
    const { db, store, logKey } = platform;
    const timestamps = await timestampSourceOf(config, logger);
    const signer = await exportSignerIn(config.keysDir, systemClock);
    const deps = { db, store, logKey, timestamps, signer, pdfFont: config.pdfFont, clock: systemClock };
    const { username } = userInfo();
    const { path, exportId, bag } = await exportToDirectory(deps, {
      ...(await subjectOf(platform, options)),
      outDir: resolve(options.outDir),
      actor: { type: "system", id: "command-line" },
      exporter: { name: `命令行 command line: ${username}`, role: null },
      signal: stop,
      onProgress: progressTo(process.stderr),
    });
    process.stdout.write(`${options.json ? JSON.stringify({ path, exportId, ...bag }) : path}\n`);
    return 0;
  } catch (error) {
    if (!isProblem(error) || !unfit.includes(error.code)) throw error;
    process.stderr.write(`dockseal: ${error.title}: ${error.message}\n${error.advice}\n`);
    return 1;
  } finally {
    await platform.close();
  }
}

async function subjectOf(
  { db }: Platform,
  { caseNumber, organization, clipId }: ExportOptions,
): Promise<{ subject: Subject; organizationId: string }> {
  if ((caseNumber === undefined) === (clipId === undefined)) {
    throw new DocksealError("usage", { detail: "either --case or --clip is needed" });
  }
  if (caseNumber !== undefined) {
    const file = await caseByNumber(db, caseNumber, organization);
    return { subject: { caseId: file.id }, organizationId: file.organizationId };
  }
  if (organization !== undefined) throw new DocksealError("usage", { detail: "--organization goes with --case" });
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(clipId ?? "")) {
    throw new DocksealError("usage", { detail: "--clip must be the id of a clip" });
  }
  const clip = await clipRecord(db, clipId ?? "");
  return { subject: { clipId: clip.id }, organizationId: clip.organizationId };
}

/** A line each time that another percent is done; on a terminal the same line again. */
function progressTo(stream: NodeJS.WriteStream): (progress: ExportProgress) => void {
  let last = -1;
  return ({ filesDone, filesTotal, bytesDone, bytesTotal }) => {
    const percent = bytesTotal === 0 ? 100 : Math.floor((100 * bytesDone) / bytesTotal);
    const over = filesDone === filesTotal;
    if (percent === last && !over) return;
    last = percent;
    const text = `${percent} % of ${bytesTotal} bytes, ${filesDone} of ${filesTotal} files`;
    stream.write(stream.isTTY ? `\r${text}${over ? "\n" : ""}` : `${text}\n`);
  };
}
