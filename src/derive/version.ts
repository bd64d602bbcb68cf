import { DocksealError } from "#kernel";
import { runSandboxed } from "./sandbox.ts";
import { limitsOf, type MediaSettings } from "./settings.ts";
import { faultOf } from "./tool-fault.ts";

/** The oldest ffmpeg whose options (`-fps_mode`) are used here. */
const oldestVersion = [5, 1] as const;

/** First line of `ffmpeg -version`. @throws DocksealError `media-tool-failed` when it is missing or too old. */
export async function ffmpegVersion(settings: MediaSettings, signal: AbortSignal): Promise<string> {
  const run = await runSandboxed({
    tool: "ffmpeg",
    args: ["-version"],
    readOnly: [],
    limits: limitsOf(settings, 30),
    sandbox: settings.sandbox,
    signal,
    stdoutMaxBytes: 64 * 1024,
    ...(settings.programs && { programs: settings.programs }),
  });
  const fault = faultOf("ffmpeg", run);
  const version = run.stdout.toString("utf8").split("\n", 1)[0]?.trim() ?? "";
  const [, major, minor] = /^ffmpeg version n?(\d+)\.(\d+)/.exec(version) ?? [];
  const isOld =
    Number(major) < oldestVersion[0] || (Number(major) === oldestVersion[0] && Number(minor) < oldestVersion[1]);
  // A build from the development branch has no number ("N-1234-g…") and passes; it is recorded as what it is.
  if (fault !== undefined || version === "" || isOld) {
    const detail = isOld ? `${version} is older than ${oldestVersion.join(".")}` : `ffmpeg does not run: ${fault}`;
    throw new DocksealError("media-tool-failed", { detail });
  }
  return version;
}
