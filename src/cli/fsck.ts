import { fsck as examine } from "#audit";
import { configFromEnvironment, parseConfig } from "#config";
import { environmentOf } from "./installation.ts";
import { newLogger } from "./logger.ts";
import { openPlatform } from "./platform.ts";

/**
 * `dockseal fsck`: derives what can be derived, and compares in both directions. Every difference is a line.
 * @returns 0, or 1 when something differs.
 */
export async function fsck(options: { dataDir: string | undefined; deep: boolean; json: boolean }): Promise<number> {
  const config =
    options.dataDir === undefined ? configFromEnvironment() : parseConfig(await environmentOf(options.dataDir));
  const platform = await openPlatform(config, newLogger("fsck", "fatal"));
  try {
    let findings = 0;
    const figures = await examine({ ...platform, storeUrl: config.storeUrl, deep: options.deep }, (finding) => {
      findings += 1;
      const line = options.json
        ? JSON.stringify(finding)
        : `differs  ${finding.kind.padEnd(18)} ${finding.subject}: ${finding.detail}`;
      process.stdout.write(`${line}\n`);
    });
    const looked = Object.entries(figures).map(([name, count]) => `${count} ${name}`);
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ findings, figures })}\n`
        : `looked at ${looked.join(", ")}: ${findings} differences\n`,
    );
    return findings === 0 ? 0 : 1;
  } finally {
    await platform.close();
  }
}
