#!/usr/bin/env node
import { parseArgs } from "node:util";
import { Endings } from "./endings.ts";
import { asTable, type Row } from "./report.ts";

const usage = `npm run bench -- ingest [--gib N] [--uploads 1,8] [--rounds N] [--json]
npm run bench -- log    [--events N] [--rounds N] [--json]

ingest  bytes a second into one Ceph RGW: our API, and other ways beside it
log     custody events a second that get their place in the log

--json  one object a row instead of a table
`;

/** Exit code 0: measured. 2: usage or environment. */
async function main(): Promise<number> {
  const options = { gib: "1", uploads: "1,8", rounds: "3", events: "20000" };
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      gib: { type: "string", default: options.gib },
      uploads: { type: "string", default: options.uploads },
      rounds: { type: "string", default: options.rounds },
      events: { type: "string", default: options.events },
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
        rows = await benchIngest(endings, { gib, uploads, rounds, progress });
        break;
      }
      case "log": {
        const { benchLog } = await import("./log.ts");
        rows = await benchLog(endings, { events: positive(values.events, "--events", true), rounds, progress });
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
