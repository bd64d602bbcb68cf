// Many stations by every way in, random kills, and in the end everything is verified: `node test/soak/soak.ts
// [--minutes 10] [--stations 64] [--seed 1] [--json]`. Exit code 1 on any difference.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inTransaction } from "#db";
import { createStation } from "#identity";
import { pause } from "#kernel";
import { impatient, verifyEverything } from "../support/fault.ts";
import { testServer } from "../support/postgres.ts";
import { ownRgw } from "../support/rgw.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { faultsOf, strikeAll } from "./faults.ts";
import { randomOf } from "./random.ts";
import { reportOf, tableOf } from "./report.ts";
import { SoakStation } from "./station.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    stations: { type: "string", default: "64" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    json: { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
const stations = Number(values.stations);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isSafeInteger(stations) || stations < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write("usage: node test/soak/soak.ts [--minutes N] [--stations N] [--seed N] [--json]\n");
  process.exit(2);
}

const ends: (() => unknown)[] = [];
const t = { teardown: (end: () => unknown) => void ends.push(end) };
process.once("SIGINT", () => process.exit(130)); // what was started ends by its last resort
const tell = (line: string): void => {
  if (!values.json) process.stdout.write(`${line}\n`);
};
let exitCode = 1;
try {
  exitCode = await soak();
} finally {
  for (const end of ends.reverse()) await end();
}
process.exit(exitCode);

async function soak(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-soak-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const postgres = await testServer(t);
  await postgres.ensureDatabase("soak");
  const s3 = await ownRgw(t, join(directory, "rgw"));
  const stack = await startStack(t, {
    store: "s3",
    queue: "redis",
    databaseUrl: postgres.url("soak"),
    s3,
    variables: { ...impatient, DOCKSEAL_STEP_OVERDUE_SECONDS: "20", DOCKSEAL_UPLOAD_STALL_SECONDS: "3" },
  });
  const fleet = await stationsOf(stack);
  tell(`soak: ${stations} stations, ${minutes} minutes, seed ${seed}`);

  const differences: string[] = [];
  const wrong = (sentence: string): void => void differences.push(sentence);
  const faults = faultsOf({ stack, postgres, s3, wrong });
  const quiet = new AbortController();
  const began = Date.now();
  const over = AbortSignal.timeout(minutes * 60_000);
  const restMs = Math.min(14_000, minutes * 2_000);
  // Stations go on until the last thing that was killed runs again: what they have begun must get through.
  const striking = strikeAll(faults, { random: randomOf(seed), over, restMs, tell })
    .catch((error: Error) => wrong(`not mended: ${error.message}`))
    .finally(() => quiet.abort());
  const [peakApiBytes] = await Promise.all([
    peakMemory(() => stack.serve.peakResidentBytes(), quiet.signal),
    striking,
    ...fleet.map((station, at) =>
      station.run(quiet.signal).catch((error: Error) => wrong(`station ${at}: ${error.message}`)),
    ),
  ]);
  const loadSeconds = Math.round((Date.now() - began) / 1000);
  tell(`quiet after ${loadSeconds} s; verifying`);

  const acknowledged = fleet.flatMap((station) => station.fleet.acknowledged);
  // Every file is looked at by ffmpeg as well, which takes two cores most of the time.
  const patience = { seconds: 120 + 3 * acknowledged.length, deep: true };
  const verified = await verifyEverything(stack, acknowledged, patience);
  differences.push(...verified.differences);
  const report = reportOf(fleet, {
    minutes,
    stations,
    seed,
    loadSeconds,
    differences,
    seconds: Math.round((Date.now() - began) / 1000),
    kills: Object.fromEntries(faults.map((fault) => [fault.name, fault.times])),
    ...verified.figures,
    peakApiMiB: Math.round(peakApiBytes / 1024 / 1024),
  });
  process.stdout.write(`${values.json ? JSON.stringify(report) : tableOf(report)}\n`);
  return differences.length === 0 && report.receipts > 0 ? 0 : 1;
}

/** Each with a number and a token of its own. */
async function stationsOf({ db, url, party: { organizationId } }: Stack): Promise<SoakStation[]> {
  const made: SoakStation[] = [];
  for (let number = 0; number < stations; number++) {
    const wanted = { organizationId, number: `3715${String(number).padStart(16, "0")}`, name: `采集站 ${number}` };
    const { token } = await inTransaction(db, (tx) => createStation(tx, wanted));
    made.push(new SoakStation(url, { token, number, random: randomOf(seed + number) }));
  }
  return made;
}

/** The most that any API process held; asked twice a second, since the kernel forgets it with the process. */
async function peakMemory(peakResidentBytes: () => Promise<number>, over: AbortSignal): Promise<number> {
  let peak = 0;
  while (!over.aborted) {
    peak = Math.max(peak, await peakResidentBytes().catch(() => 0)); // it was killed just now
    await pause(500, over);
  }
  return peak;
}
