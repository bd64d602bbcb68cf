import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import type { Row } from "../bench/report.ts";
import { bareNode } from "../support/bare-node.ts";

const run = promisify(execFile);
const script = join(import.meta.dirname, "../bench/bench.ts");

async function bench(...args: string[]): Promise<Row[]> {
  const { stdout } = await run("env", bareNode(script, ...args, "--json"));
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
}

t.test("bench ingest measures our API and the other ways into one store", async (t) => {
  // Two files of 20 MiB: more than one piece of tus each.
  const rows = await bench("ingest", "--gib", "0.0390625", "--rounds", "1", "--uploads", "2");
  const paths = [
    "curl",
    "dockseal, bare body: one PUT",
    "dockseal, sizeBytes known: one PUT",
    "dockseal, sizeBytes unknown: parts",
    "dockseal, tus: one PATCH",
    "dockseal, tus: PATCHes of 16 MiB",
    "rclone copyto",
    "minio putObject of a file",
    "@tus/server with @tus/s3-store",
  ];
  t.same(
    rows.map(({ path, uploads }) => [path, uploads]),
    paths.map((path) => [path, 2]),
  );
  for (const row of rows) {
    t.equal(row.bench, "ingest");
    for (const figure of [row.mibPerSecond, row.ratioTo?.["curl"]]) t.ok(Number(figure) > 0, row.path);
    if (row.path === "curl") t.equal(row.ratioTo?.["curl"], 1);
    else for (const figure of [row.peakRssMiB, row.cpuSecondsPerGiB]) t.ok(Number(figure) > 0, row.path);
    if (row.path === "dockseal, bare body: one PUT") t.ok(Number(row.receiptMs) > 0, "its uploads got receipts");
    else t.notOk("receiptMs" in row, row.path);
  }
});

t.test("bench log measures appends until they are provable, and proofs of a tree", async (t) => {
  const short = ["--writers", "2", "--seconds", "0.5", "--rounds", "1", "--entries", "3000"];
  const rows = await bench("log", ...short);
  const loads = ["2 writers, 1 a transaction", "2 writers, 10 a transaction"];
  t.match(rows, [
    ...loads.flatMap((load) => [
      { bench: "log", path: `plain insert: ${load}`, perSecond: Number },
      { path: `append to provable: ${load}`, perSecond: Number, p50Ms: Number, p99Ms: Number },
    ]),
    { path: /^proof at \d+ entries$/, p50Ms: Number, p99Ms: Number },
  ]);
  for (const row of rows) for (const figure of [row.perSecond, row.p50Ms]) t.ok(figure === undefined || figure > 0);
});

t.test("bench console-scroll measures frames of the list of clips beside a plain list and an empty page", async (t) => {
  const short = ["--clips", "700", "--rows", "300", "--seconds", "0.5", "--rounds", "1"];
  const rows = await bench("console-scroll", ...short);
  t.same(
    rows.map(({ path }) => path),
    [
      ...["table", "pictures"].flatMap((view) => [
        `clips, ${view}, pages load meanwhile`,
        `clips, ${view}, 300 rows loaded`,
      ]),
      ...["plain list", "empty page", "page of 100 among 700 clips"],
    ],
  );
  for (const row of rows) for (const figure of [row.p50Ms, row.p99Ms]) t.ok(Number(figure) > 0, row.path);
  for (const row of rows.slice(0, -1)) {
    for (const figure of [
      row.perSecond,
      row.cpuMsPerFrame,
      row.domNodes,
      row.heapMiB?.[1],
      row.ratioTo?.["plain list"],
    ]) {
      t.ok(Number(figure) > 0, row.path);
    }
    t.ok(Number(row.longFramesPercent) >= 0, row.path);
  }
});

t.test("bench console measures the time to the first frame, beside a plain server", async (t) => {
  const rows = await bench("console", "--clip-seconds", "2", "--views", "2", "--rounds", "1");
  t.match(rows, [
    { bench: "console", path: "clip page, store on Ceph RGW", p50Ms: Number, p99Ms: Number, ratioTo: {} },
    { bench: "console", path: "plain server", p50Ms: Number, p99Ms: Number },
  ]);
  t.ok(Number(rows[0]?.ratioTo?.["plain server"]) > 0);
});

t.test("a wrong call is refused with the usage", async (t) => {
  for (const args of [
    ["nothing"],
    ["ingest", "--gib", "none"],
    ["ingest", "--rounds", "0"],
    ["ingest", "--fast"],
    ["console-scroll", "--clips", "x"],
  ]) {
    await t.rejects(run("env", bareNode(script, ...args)), { code: 2, stderr: /npm run bench/ }, args.join(" "));
  }
});
