import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DocksealError } from "#kernel";
import {
  debianPrograms,
  inputPath,
  type Programs,
  type RunResult,
  runConfined,
  type SandboxedRun,
  type SandboxLevel,
} from "./confine.ts";

export interface SandboxReport {
  readonly level: SandboxLevel;
  /** One sentence for people: what was tried and what came of it. */
  readonly detail: string;
}

/** A failure may pass, so it is believed for a while only; what was seen to work is believed for good. */
const believedMs = 60_000;
const reports = new Map<string, { report: SandboxReport; at: number }>();

/**
 * Runs ffmpeg or ffprobe where it can read the given files, write one directory and reach nothing else, and waits
 * for its end. Whatever ends the wait (exit, time, abort, or the death of this process), no process is left behind.
 * @throws DocksealError `sandbox-unavailable`; the reason of `signal`; an error of spawn(2).
 */
export async function runSandboxed(run: SandboxedRun): Promise<RunResult> {
  run.signal.throwIfAborted();
  const programs = run.programs ?? debianPrograms;
  const { level, detail } = await probeSandbox(programs);
  if (level === "none" || (level === "limits" && run.sandbox === "require")) {
    throw new DocksealError("sandbox-unavailable", { detail });
  }
  run.signal.throwIfAborted();
  return runConfined(level, run);
}

/**
 * Finds out by trying what stands between a media tool and this machine. `bubblewrap`: ffmpeg inside read the file
 * that it was given, and neither another file nor a listening socket of this machine. `limits`: only setrlimit(2)
 * works. `none`: not even that.
 */
export async function probeSandbox(programs: Programs = debianPrograms): Promise<SandboxReport> {
  const key = JSON.stringify(programs);
  const known = reports.get(key);
  if (known?.report.level === "bubblewrap") return known.report;
  if (known !== undefined && performance.now() - known.at < believedMs) return known.report;
  const report = await tryEach(programs);
  reports.set(key, { report, at: performance.now() });
  return report;
}

async function tryEach(programs: Programs): Promise<SandboxReport> {
  const dir = await mkdtemp(join(tmpdir(), "dockseal-sandbox-"));
  const secret = "not for the sandbox";
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  try {
    const [given, outside] = [join(dir, "given"), join(dir, "outside")];
    await Promise.all([writeFile(given, "given"), writeFile(outside, secret)]);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    /** Copies what `source` holds to standard output, as raw bytes. */
    const read = async (level: "bubblewrap" | "limits", source: string) => {
      const run = await runConfined(level, {
        tool: "ffmpeg",
        args: [
          "-nostdin",
          "-v",
          "error",
          "-f",
          "data",
          "-i",
          source,
          "-map",
          "0",
          "-c",
          "copy",
          "-f",
          "data",
          "pipe:1",
        ],
        readOnly: [given],
        limits: { cpuSeconds: 10, memoryBytes: 2 ** 31, fileBytes: 2 ** 20, wallSeconds: 10 },
        sandbox: "limits",
        signal: AbortSignal.timeout(30_000),
        stdoutMaxBytes: 4096,
        programs,
      }).catch((cause: NodeJS.ErrnoException) => {
        if (cause.syscall?.startsWith("spawn") !== true) throw cause;
        return { stdout: Buffer.alloc(0), stderrTail: cause.message };
      });
      return { text: run.stdout.toString("utf8"), complaint: lastLine(run.stderrTail) };
    };

    const inside = await read("bubblewrap", inputPath());
    let fault = inside.text === "given" ? undefined : `bubblewrap does not work here: ${inside.complaint}`;
    if (fault === undefined) {
      const stolen = await read("bubblewrap", outside);
      if (stolen.text.includes(secret)) fault = "bubblewrap runs, but a file outside could be read";
    }
    if (fault === undefined) {
      await read("bubblewrap", `tcp://127.0.0.1:${port}`);
      if (connections > 0) fault = "bubblewrap runs, but a socket of this machine could be reached";
    }
    if (fault === undefined) {
      return { level: "bubblewrap", detail: "bubblewrap: no network, no file but the one given, resource limits" };
    }
    const limited = await read("limits", inputPath());
    if (limited.text === "given") return { level: "limits", detail: `resource limits alone; ${fault}` };
    return { level: "none", detail: `${fault}; resource limits do not work either: ${limited.complaint}` };
  } finally {
    await new Promise((resolve) => server.close(resolve));
    await rm(dir, { recursive: true, force: true });
  }
}

/** The last line that a tool complained with, without the address of its object, at most 300 characters. */
export function lastLine(stderr: string): string {
  const line = stderr.trimEnd().split("\n").at(-1)?.trim() ?? "";
  return line === "" ? "no message" : line.replace(/ @ 0x[0-9a-f]+\]/g, "]").slice(0, 300);
}
