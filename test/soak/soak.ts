// Many stations, random faults, and in the end everything is verified: `node test/soak/soak.ts [--minutes 10]
// [--stations 64] [--seed 1] [--json]`. Exit code 1 on any difference.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pause } from "#kernel";
import { impatient, verifyEverything } from "../support/fault.ts";
import { Fleet } from "../support/fault-station.ts";
import { testServer } from "../support/postgres.ts";
import { ownRgw } from "../support/rgw.ts";
import { startStack } from "../support/stack.ts";
import { type Fault, faultsOf } from "./faults.ts";
import { randomOf } from "./random.ts";
import { runStation } from "./station.ts";

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
  tell(`soak: ${stations} stations, ${minutes} minutes, seed ${seed}`);
  const fleet = new Fleet(stack);
  const over = AbortSignal.timeout(minutes * 60_000);
  const faults = faultsOf({ stack, postgres, s3 });
  const [peakBytes, , ...tallies] = await Promise.all([
    peakMemory(() => stack.serve.residentBytes(), over),
    strike(faults, over),
    ...Array.from({ length: stations }, (_, at) =>
      runStation(fleet, { number: at, random: randomOf(seed + at), over }),
    ),
  ]);
  tell(`stations are done: ${fleet.summary}`);

  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged, { seconds: 120 + minutes * 60 });
  const sum = (field: "files" | "aborted" | "stalled") => tallies.reduce((total, tally) => total + tally[field], 0);
  const report = {
    minutes,
    stations,
    seed,
    filesSent: sum("files"),
    acknowledged: fleet.acknowledged.length,
    aborted: sum("aborted"),
    stalled: sum("stalled"),
    answers: Object.fromEntries([...fleet.answers].sort(([a], [b]) => a - b)),
    retries: fleet.retries,
    faults: Object.fromEntries(faults.map((fault) => [fault.name, fault.times])),
    ...figures,
    peakApiMiB: Math.round(peakBytes / 1024 / 1024),
    differences,
  };
  process.stdout.write(`${values.json ? JSON.stringify(report) : JSON.stringify(report, undefined, 2)}\n`);
  return differences.length === 0 && figures.receipts > 0 ? 0 : 1;
}

/** One fault after the other in random order, with some rest between them; all are mended when it ends. */
async function strike(faults: readonly Fault[], over: AbortSignal): Promise<void> {
  const random = randomOf(seed);
  await pause(2_000, over);
  while (!over.aborted) {
    const fault = faults[Math.floor(random() * faults.length)];
    if (fault === undefined) return;
    tell(`kill: ${fault.name}`);
    await fault.strike();
    fault.times += 1;
    await pause(1_500 + random() * Math.min(15_000, minutes * 3_000), over);
  }
}

/** The most that the API process held, looked at twice a second; 0 while it does not run. */
async function peakMemory(residentBytes: () => Promise<number>, over: AbortSignal): Promise<number> {
  let peak = 0;
  while (!over.aborted) {
    peak = Math.max(peak, await residentBytes().catch(() => 0)); // it was killed just now
    await pause(500, over);
  }
  return peak;
}
