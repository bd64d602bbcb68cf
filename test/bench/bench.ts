#!/usr/bin/env node
import { parseArgs } from "node:util";
import { Endings } from "./endings.ts";
import { asTable, type Row } from "./report.ts";

const usage = `npm run bench -- ingest [--gib N] [--uploads 1,8] [--rounds N] [--json] [--profile DIR]
npm run bench -- log    [--writers 1,8,64] [--seconds N] [--entries N] [--rounds N] [--json]
npm run bench -- console-scroll [--clips N] [--rows N] [--seconds N] [--rounds N] [--json]
npm run bench -- console [--clip-seconds N] [--views N] [--rounds N] [--json]

ingest  bytes a second into one Ceph RGW: our API, and other ways beside it
log     custody events a second that get under a checkpoint, and the time until they can be proved, beside plain
        inserts into the same PostgreSQL; then proofs of a log with that many entries
console-scroll
        time of frames while Chromium scrolls through the console's list of clips, beside a plain list and an empty page
console from the click that states a purpose until the first frame is on the screen, with a clip of so many seconds in
        Ceph RGW, beside the same file from a plain server of this machine; so many views a round

--json     one object a row instead of a table
--profile  a CPU profile of the API into that directory, for a browser's developer tools; it slows what is measured
`;

/** Exit code 0: measured. 2: usage or environment. */
async function main(): Promise<number> {
  const options = {
    ...{ gib: "1", uploads: "1,8", rounds: "3", writers: "1,8,64", seconds: "5", entries: "1000000" },
    ...{ clipSeconds: "60", views: "10" },
    clips: "100000",
  };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      gib: { type: "string", default: options.gib },
      uploads: { type: "string", default: options.uploads },
      rounds: { type: "string", default: options.rounds },
      writers: { type: "string", default: options.writers },
      seconds: { type: "string", default: options.seconds },
      entries: { type: "string", default: options.entries },
      clips: { type: "string", default: options.clips },
      rows: { type: "string", default: "5000" },
      "clip-seconds": { type: "string", default: options.clipSeconds },
      views: { type: "string", default: options.views },
      profile: { type: "string" },
    },
  });
  const rounds = positive(values.rounds, "--rounds", true);
  const endings = new Endings();
  const stop = (): void => void endings.end().finally(() => process.exit(2));
  process.once("SIGINT", stop).once("SIGTERM", stop);
  let rows: Row[];
  try {
    switch (positionals.join(" ")) {
      case "ingest": {
        const { benchIngest } = await import("./ingest.ts");
        const uploads = values.uploads.split(",").map((count) => positive(count, "--uploads", true));
        const gib = positive(values.gib, "--gib", false);
        rows = await benchIngest(endings, { gib, uploads, rounds, progress, profileDir: values.profile });
        break;
      }
      case "log": {
        const { benchLog } = await import("./log.ts");
        const writers = values.writers.split(",").map((count) => positive(count, "--writers", true));
        const seconds = positive(values.seconds, "--seconds", false);
        const entries = positive(values.entries, "--entries", true);
        rows = await benchLog(endings, { writers, seconds, rounds, entries, progress });
        break;
      }
      case "console-scroll": {
        const { benchConsoleScroll } = await import("./console-scroll.ts");
        const seconds = positive(values.seconds, "--seconds", false);
        const clips = positive(values.clips, "--clips", true);
        rows = await benchConsoleScroll(endings, {
          ...{ clips, seconds, rounds, progress },
          rows: positive(values.rows, "--rows", true),
        });
        break;
      }
      case "console": {
        const { benchConsole } = await import("./console.ts");
        const clipSeconds = positive(values["clip-seconds"], "--clip-seconds", true);
        const views = positive(values.views, "--views", true);
        rows = await benchConsole(endings, { clipSeconds, views, rounds, progress });
        break;
      }
      default:
        throw new UsageError(`no such bench: ${JSON.stringify(positionals.join(" "))}`);
    }
  } finally {
    await endings.end();
  }
  const text = values.json ? rows.map((row) => JSON.stringify(row)).join("\n") : asTable(rows);
  process.stdout.write(`${text}\n`);
  return 0;
}

class UsageError extends Error {
  override readonly name = "UsageError";
}

function positive(text: string, name: string, whole: boolean): number {
  const value = Number(text);
  if (!(value > 0) || (whole && !Number.isSafeInteger(value))) throw new UsageError(`${name} is ${text}`);
  return value;
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  const known =
    error instanceof UsageError ||
    (error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"));
  process.stderr.write(
    known ? `${(error as Error).message}\n\n${usage}` : `${String(error instanceof Error ? error.stack : error)}\n`,
  );
  process.exitCode = 2;
}
