import { createReadStream } from "node:fs";
import { ContentDigests } from "#evidence";
import { isProblem } from "#kernel";
import { parseTrust, summarizeReceipt, type Trust, type Verdict, verifyReceipt } from "#verify";
import { textOf, unreadable } from "./text-file.ts";

export interface VerifyOptions {
  readonly paths: readonly string[];
  readonly trustFile?: string | undefined;
  readonly originalFile?: string | undefined;
  readonly json: boolean;
}

/**
 * `dockseal verify`: checks receipts, and the original when it is given. Opens no socket and reads no configuration.
 * @returns 0 when every check that could be made passed, 1 when one failed.
 * @throws DocksealError `usage` when a file cannot be read.
 */
export async function verify(options: VerifyOptions): Promise<number> {
  const trust = options.trustFile === undefined ? undefined : parseTrust(await textOf(options.trustFile));
  const file = options.originalFile === undefined ? undefined : await digestsOf(options.originalFile);
  let allPassed = true;
  for (const path of options.paths) {
    const text = await textOf(path);
    const verdict = await verifyReceipt(text, {
      ...(trust === undefined ? {} : { trust }),
      ...(file === undefined ? {} : { file }),
    });
    if (!verdict.ok) allPassed = false;
    if (options.json) process.stdout.write(`${JSON.stringify({ path, ...verdict })}\n`);
    else print(path, text, verdict, trust);
  }
  return allPassed ? 0 : 1;
}

const marks = { passed: "passed     ", failed: "FAILED     ", "not-checked": "not checked" } as const;

function print(path: string, text: string, verdict: Verdict, trust: Trust | undefined): void {
  const lines = [path];
  for (const { name, status, detail } of verdict.checks) lines.push(`  ${marks[status]}  ${name.padEnd(32)} ${detail}`);
  if (verdict.ok) {
    const { clipId, sizeBytes, sha256, sealedAt, storedAt, retention, log } = summarizeReceipt(text);
    lines.push(
      `  clip ${clipId}, ${sizeBytes} bytes, SHA-256 ${sha256}`,
      `  sealed ${sealedAt}, entry ${log.index} of the log ${log.origin}`,
      `  stored at ${storedAt.location}, locked (${retention.mode}) until ${retention.until}`,
    );
    if (trust === undefined)
      lines.push("  The keys came with the receipt: with --trust FILE they are compared with those that you trust.");
  }
  lines.push(verdict.ok ? "  OK" : "  NOT OK", "");
  process.stdout.write(lines.join("\n"));
}

async function digestsOf(path: string) {
  const digests = new ContentDigests();
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) digests.update(chunk as Buffer);
  } catch (error) {
    if (isProblem(error)) throw error;
    throw unreadable(path, error);
  }
  return digests.finish();
}
