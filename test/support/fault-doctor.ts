import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { bareProduct } from "./bare-node.ts";
import type { Stack } from "./stack.ts";

export interface DoctorReport {
  readonly code: number | null;
  /** By name of the check. */
  readonly findings: ReadonlyMap<string, { readonly status: string; readonly detail: string }>;
}

/** Runs `dockseal doctor --json` on a stack. */
export async function doctorOf(stack: Stack): Promise<DoctorReport> {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DOCKSEAL_")));
  const child = spawn("env", bareProduct(["doctor", "--json"]), {
    env: { ...inherited, NODE_V8_COVERAGE: "", ...stack.environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit") as Promise<[number | null]>]);
  const findings = output
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { name: string; status: string; detail: string });
  return { code, findings: new Map(findings.map((finding) => [finding.name, finding])) };
}
