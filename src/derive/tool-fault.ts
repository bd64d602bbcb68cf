import { DocksealError } from "#kernel";
import type { RunResult } from "./confine.ts";
import { lastLine } from "./sandbox.ts";

/** Signals with which a tool ends by its own fault, over a file it cannot digest. */
const crashes: ReadonlySet<string> = new Set(["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS"]);
const shortages =
  /No space left on device|Disk quota exceeded|File too large|Cannot allocate memory|Too many open files|error while loading shared libraries|^bwrap: |failed to execute/m;

/**
 * Tells the machine's faults from the file's. Time, memory, disk and a kill say nothing about the file and are thrown,
 * so that the work is done again; for the rest:
 * @returns undefined when the tool succeeded, else one line that says what it could not digest.
 * @throws DocksealError `media-tool-failed` with the last line of its complaints.
 */
export function faultOf(what: string, run: RunResult): string | undefined {
  const line = lastLine(run.stderrTail);
  const failed = (why: string) => new DocksealError("media-tool-failed", { detail: `${what}: ${why}: ${line}` });
  if (run.timedOut) throw failed(`stopped after ${Math.round(run.wallMs / 1000)} s`);
  if (run.stdoutOverflowed) return "the description of the file is too long";
  if (run.signal !== null) {
    if (crashes.has(run.signal)) return `the tool crashed (${run.signal})`;
    throw failed(`ended by ${run.signal}`);
  }
  if (run.exitCode === 0) return undefined;
  if (shortages.test(run.stderrTail)) throw failed("failed");
  return line;
}
