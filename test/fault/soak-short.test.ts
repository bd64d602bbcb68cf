import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import t from "tap";

interface Report {
  readonly acknowledged: number;
  readonly receipts: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly differences: readonly string[];
}

t.test("half a minute of 8 stations and random kills ends without a difference", async (t) => {
  t.setTimeout(240_000);
  const script = join(import.meta.dirname, "../soak/soak.ts");
  const child = spawn(process.execPath, [script, "--minutes", "0.5", "--stations", "8", "--seed", "7", "--json"], {
    env: { ...process.env, NODE_V8_COVERAGE: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.teardown(() => child.kill("SIGINT"));
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit") as Promise<[number | null]>]);
  const report = JSON.parse(output) as Report;
  t.comment(output);
  t.strictSame(report.differences, []);
  t.ok(report.acknowledged > 20 && report.receipts >= report.acknowledged, "every acknowledged file has its receipt");
  t.ok(Object.values(report.faults).reduce((sum, times) => sum + times, 0) >= 3, "things were killed meanwhile");
  t.equal(code, 0, "and the exit code says so");
});
