import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import t from "tap";
import type { Report } from "../soak/report.ts";
import { bareNode } from "../support/bare-node.ts";

t.test("8 stations by every way in, and each part killed once, end without a difference", async (t) => {
  const script = join(import.meta.dirname, "../soak/soak.ts");
  const child = spawn("env", bareNode(script, "--minutes", "0.3", "--stations", "8", "--seed", "7", "--json"), {
    env: { ...process.env, NODE_V8_COVERAGE: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.teardown(() => child.kill("SIGINT"));
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit") as Promise<[number | null]>]);
  const report = JSON.parse(output) as Report;
  t.comment(output);
  t.strictSame(report.differences, []);
  for (const [way, { acknowledged }] of Object.entries(report.sent)) t.ok(acknowledged > 0, `files came in by ${way}`);
  t.ok(report.sent.tus.resumed > 0, "uploads went on after a cut");
  t.equal(report.receipts, report.acknowledged, "every acknowledged file has its receipt");
  t.strictSame(
    Object.keys(report.kills).sort(),
    ["api", "postgresql", "redis", "redis-flushed", "s3", "worker"],
    "these are killed",
  );
  for (const [name, times] of Object.entries(report.kills)) t.ok(times > 0, `${name} was killed meanwhile`);
  t.equal(code, 0, "and the exit code says so");
});
