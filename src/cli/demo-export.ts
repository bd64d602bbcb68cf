import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ownScript } from "./own-script.ts";

const run = promisify(execFile);

export interface DemoBag {
  /** Folder of the bag. */
  readonly path: string;
  /** Did every check that could be made pass? */
  readonly ok: boolean;
  /** How many checks passed, failed and were not made. */
  readonly counts: Readonly<Record<"passed" | "failed" | "not-checked", number>>;
}

/**
 * What a court gets: exports a case as the command line does, and verifies the bag offline against the trust file.
 * @param caseNumber of the case, e.g. `朱综执立〔2026〕017号`.
 */
export async function exportAndVerify(
  paths: { readonly root: string; readonly trust: string },
  caseNumber: string,
): Promise<DemoBag> {
  const out = join(paths.root, "exports");
  // Sample data: the bag of the last run makes room.
  await rm(out, { recursive: true, force: true });
  const exported = await dockseal(["export", "--case", caseNumber, "--out", out, "--data", paths.root, "--json"]);
  const { path } = JSON.parse(exported) as { path: string };
  const verified = await dockseal(["verify", path, "--trust", paths.trust, "--json"]);
  const { ok, checks } = JSON.parse(verified) as { ok: boolean; checks: { status: keyof DemoBag["counts"] }[] };
  const counts = { passed: 0, failed: 0, "not-checked": 0 };
  for (const { status } of checks) counts[status] += 1;
  return { path, ok, counts };
}

/** Runs the command line as a user does. @returns what it printed; exit code 1 (checked and wrong) is an answer too. */
async function dockseal(args: readonly string[]): Promise<string> {
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DOCKSEAL_")));
  try {
    const { stdout } = await run(process.execPath, [ownScript, ...args], {
      env: environment,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } catch (error) {
    const { code, stdout = "" } = error as { code?: number; stdout?: string };
    if (code === 1 && stdout !== "") return stdout;
    throw error;
  }
}
