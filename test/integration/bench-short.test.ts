import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import type { Row } from "../bench/report.ts";

const run = promisify(execFile);
const script = join(import.meta.dirname, "../bench/bench.ts");

async function bench(...args: string[]): Promise<Row[]> {
  const { stdout } = await run(process.execPath, [script, ...args, "--json"]);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
}

t.test("bench ingest measures our API and the other ways into one store", { timeout: 300_000 }, async (t) => {
  const rows = await bench("ingest", "--gib", "0.03125", "--rounds", "1", "--uploads", "1,2");
  const paths = [
    "curl",
    "dockseal, sizeBytes known: one PUT",
    "dockseal, sizeBytes unknown: parts",
    "minio putObject of a file",
    "@tus/server with @tus/s3-store",
  ];
  t.same(
    rows.map(({ path, uploads }) => [path, uploads]),
    [1, 2].flatMap((uploads) => paths.map((path) => [path, uploads])),
  );
  for (const row of rows) {
    t.equal(row.bench, "ingest");
    for (const figure of [row.mbPerSecond, row.ratioTo?.["curl"]]) t.ok(Number(figure) > 0, row.path);
    if (row.path === "curl") t.equal(row.ratioTo?.["curl"], 1);
    else for (const figure of [row.peakRssMiB, row.cpuSecondsPerGiB]) t.ok(Number(figure) > 0, row.path);
  }
});

t.test("bench log measures the sequencer", { timeout: 120_000 }, async (t) => {
  const rows = await bench("log", "--events", "1200", "--rounds", "1");
  t.match(rows, [{ bench: "log", path: "sequencer", perSecond: Number }]);
  t.ok(Number(rows[0]?.perSecond) > 0);
});

t.test("a wrong call is refused with the usage", async (t) => {
  for (const args of [["nothing"], ["ingest", "--gib", "none"], ["ingest", "--rounds", "0"], ["ingest", "--fast"]]) {
    await t.rejects(run(process.execPath, [script, ...args]), { code: 2, stderr: /npm run bench/ }, args.join(" "));
  }
});
