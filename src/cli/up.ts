import { ensureAccess } from "./access.ts";
import { pathsOf, startInstallation } from "./installation.ts";
import { newLogger } from "./logger.ts";
import { aborted, stopSignal } from "./stop-signal.ts";

/** `dockseal up`: everything on this machine, out of one directory. Prints `ready <url>`. */
export async function up(options: { dataDir: string; port?: number | undefined }): Promise<number> {
  const stop = stopSignal();
  const installation = await startInstallation({ ...options, logger: newLogger("up", "warn") });
  try {
    await ensureAccess(installation, {
      organization: "本单位",
      people: [{ role: "administrator", name: "admin", displayName: "管理员" }],
      stations: [{ number: "00000000000000000001", name: "第一采集站" }],
    });
    const paths = pathsOf(options.dataDir);
    process.stdout.write(
      [
        `ready ${installation.url}`,
        `API documentation: ${installation.url}/api/docs`,
        `sign-in names, passwords and the station's token: ${paths.access}`,
        `keys that a verifier trusts: ${paths.trust}`,
        `logs: ${paths.logs}`,
        "Stop with Ctrl-C.",
        "",
      ].join("\n"),
    );
    const reason = await Promise.race([aborted(stop), installation.failed]);
    if (typeof reason === "string") process.stderr.write(`${reason}\n`);
    return typeof reason === "string" ? 2 : 0;
  } finally {
    await installation.stop();
  }
}
