import { stat } from "node:fs/promises";
import { ContentDigests } from "#evidence";
import {
  type BagVerdict,
  type DocumentVerdict,
  type FileFacts,
  parseTrust,
  summarizeReceipt,
  type Trust,
  verifyBag,
  verifyDocument,
} from "#verify";
import { contentOf, directoryReader } from "./directory-reader.ts";
import { textOf, unreadable } from "./text-file.ts";

export interface VerifyOptions {
  readonly paths: readonly string[];
  readonly trustFile?: string | undefined;
  readonly originalFile?: string | undefined;
  readonly json: boolean;
}

/** What is compared with: from elsewhere, and the file at hand. */
interface Given {
  readonly trust?: Trust;
  readonly file?: FileFacts;
}

/**
 * `dockseal verify`: checks receipts and seal bundles, with the original when it is given, and exported bags. Opens no
 * socket and reads no configuration.
 * @returns 0 when every check that could be made passed, 1 when one failed.
 * @throws DocksealError `usage` when a file cannot be read.
 */
export async function verify(options: VerifyOptions): Promise<number> {
  const given: Given = {
    ...(options.trustFile === undefined ? {} : { trust: parseTrust(await textOf(options.trustFile)) }),
    ...(options.originalFile === undefined ? {} : { file: await digestsOf(options.originalFile) }),
  };
  let allPassed = true;
  for (const path of options.paths) {
    const checked = await verifyPath(path, given);
    if (!checked.verdict.ok) allPassed = false;
    const { kind, verdict } = checked;
    const printed = options.json ? `${JSON.stringify({ path, kind, ...verdict })}\n` : lines(path, checked, given);
    process.stdout.write(printed);
  }
  return allPassed ? 0 : 1;
}

type Checked =
  | { readonly kind: "bag"; readonly verdict: BagVerdict }
  | { readonly kind: DocumentVerdict["kind"]; readonly verdict: DocumentVerdict; readonly text: string };

async function verifyPath(path: string, given: Given): Promise<Checked> {
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (found.isDirectory())
    return { kind: "bag", verdict: await verifyBag(directoryReader(path), { ...given, now: new Date() }) };
  const text = await textOf(path);
  const verdict = await verifyDocument(text, { ...given, now: new Date() });
  return { kind: verdict.kind, verdict, text };
}

const marks = { passed: "passed     ", failed: "FAILED     ", "not-checked": "not checked" } as const;

function lines(path: string, checked: Checked, { trust }: Given): string {
  const { verdict } = checked;
  const printed = [path];
  for (const { name, status, detail } of verdict.checks) {
    printed.push(`  ${marks[status]}  ${name.padEnd(32)} ${detail}`);
  }
  if (verdict.ok) {
    printed.push(...(checked.kind === "bag" ? aboutBag(checked.verdict) : []));
    printed.push(...(checked.kind === "receipt" ? aboutReceipt(checked.text) : []));
    if (trust === undefined) {
      printed.push(
        "  The keys came with what was checked: with --trust FILE they are compared with those that you trust.",
      );
    }
  }
  printed.push(verdict.ok ? "  OK" : "  NOT OK", "");
  return printed.join("\n");
}

function aboutReceipt(text: string): string[] {
  const { clipId, sizeBytes, sha256, sealedAt, storedAt, retention, log } = summarizeReceipt(text);
  return [
    `  clip ${clipId}, ${sizeBytes} bytes, SHA-256 ${sha256}`,
    `  sealed ${sealedAt}, entry ${log.index} of the log ${log.origin}`,
    `  stored at ${storedAt.location}, locked (${retention.mode}) until ${retention.until}`,
  ];
}

function aboutBag({ caseNumber, originals, signedBy, timestampedAt }: BagVerdict): string[] {
  const subject = caseNumber === undefined ? "a clip" : `case ${caseNumber}`;
  return [`  ${subject}: ${originals} originals`, `  signed by ${signedBy}, timestamped ${timestampedAt}`];
}

async function digestsOf(path: string): Promise<FileFacts> {
  const digests = new ContentDigests();
  for await (const chunk of contentOf(path)) digests.update(chunk);
  return digests.finish();
}
