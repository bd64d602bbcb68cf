import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { ContentDigests } from "#evidence";
import { type ClipMetadata, parseMetadata } from "#ingest";
import { DocksealError } from "#kernel";
import { type Trust, verifyReceipt } from "#verify";
import { replaceFile } from "./replace-file.ts";
import { Refusal, type SentClip, StationClient } from "./station-client.ts";

/** What became of one file: a line of `station push`. */
export interface PushLine {
  readonly file: string;
  readonly clipId?: string;
  readonly sha256?: string;
  readonly sizeBytes?: number;
  /** The clip's state, or `refused`, `unverified` (a receipt that did not pass), `waiting` (no receipt yet), `failed`. */
  readonly state: string;
  /** Path of the receipt, only when it was verified against this station's own digests of the file. */
  readonly receipt?: string;
  readonly problem?: string;
}

export interface PushOptions {
  readonly server: string;
  readonly token: string;
  readonly stateDir: string;
  readonly files: readonly { readonly path: string; readonly metadata: ClipMetadata }[];
  /** Keys that receipts must come from; without it those inside the receipt are believed. */
  readonly trust?: Trust | undefined;
  /** Longest time to wait for receipts after the last file was sent. */
  readonly waitSeconds: number;
  readonly signal: AbortSignal;
  readonly onLine: (line: PushLine) => void;
}

type Facts = ReturnType<ContentDigests["finish"]>;

/**
 * Sends files one after the other, then waits for their receipts, and verifies each offline against the digests that
 * were computed here. Deletes nothing. Pushed again, files that have a verified receipt are not sent again.
 */
export async function pushFiles(options: PushOptions): Promise<PushLine[]> {
  const client = new StationClient(options.server, options.token);
  const receipts = join(options.stateDir, "receipts");
  await mkdir(receipts, { recursive: true });
  const lines: PushLine[] = [];
  const tell = (line: PushLine): void => {
    lines.push(line);
    options.onLine(line);
  };
  const sent: { path: string; facts: Facts; clip: SentClip }[] = [];
  for (const { path, metadata } of options.files) {
    const file = basename(path);
    const facts = await digestsOf(path);
    const known = await receiptOnDisk(receipts, facts, options.trust);
    if (known !== undefined) {
      tell({
        file,
        clipId: known.clipId,
        sha256: facts.sha256,
        sizeBytes: facts.sizeBytes,
        state: "sealed",
        receipt: known.path,
      });
      continue;
    }
    try {
      const declared = {
        ...metadata,
        sizeBytes: facts.sizeBytes,
        digest: { ...metadata.digest, sha256: facts.sha256 },
      };
      const clip = await client.send(path, declared, { signal: options.signal });
      if (clip.sha256 !== facts.sha256) throw new Error("the server answered with the digest of another file");
      sent.push({ path, facts, clip });
    } catch (error) {
      const state = error instanceof Refusal ? "refused" : "failed";
      tell({ file, sha256: facts.sha256, sizeBytes: facts.sizeBytes, state, problem: reasonOf(error) });
    }
  }
  const patience = AbortSignal.any([options.signal, AbortSignal.timeout(options.waitSeconds * 1000)]);
  for (const { path, facts, clip } of sent) {
    const line = { file: basename(path), clipId: clip.id, sha256: facts.sha256, sizeBytes: facts.sizeBytes };
    try {
      const text = await client.receipt(clip.id, { signal: patience });
      if (text === undefined) {
        tell({ ...line, state: "waiting", problem: "no receipt yet: keep the file and push again" });
        continue;
      }
      const { ok, checks } = await verifyReceipt(text, expectations(facts, options.trust));
      if (!ok) {
        const failed = checks
          .filter((check) => check.status === "failed")
          .map((check) => `${check.name}: ${check.detail}`);
        tell({ ...line, state: "unverified", problem: failed.join("; ") });
        continue;
      }
      const receipt = join(receipts, `${facts.sha256}.${clip.id}.receipt.json`);
      await replaceFile(receipt, text, 0o644);
      tell({ ...line, state: "sealed", receipt });
    } catch (error) {
      tell({ ...line, state: "failed", problem: reasonOf(error) });
    }
  }
  return lines;
}

/** `fetch failed` alone helps nobody: what it failed at stands in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

function expectations(file: Facts, trust: Trust | undefined) {
  return { file, ...(trust === undefined ? {} : { trust }) };
}

async function digestsOf(path: string): Promise<Facts> {
  const digests = new ContentDigests();
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) digests.update(chunk as Buffer);
  return digests.finish();
}

/** A receipt kept for these very bytes, checked again: the file on disk might have been changed since. */
async function receiptOnDisk(
  directory: string,
  facts: Facts,
  trust: Trust | undefined,
): Promise<{ clipId: string; path: string } | undefined> {
  const name = (await readdir(directory)).find(
    (entry) => entry.startsWith(`${facts.sha256}.`) && entry.endsWith(".receipt.json"),
  );
  if (name === undefined) return undefined;
  const path = join(directory, name);
  const verdict = await verifyReceipt(await readFile(path, "utf8"), expectations(facts, trust));
  return verdict.ok && verdict.clipId !== undefined ? { clipId: verdict.clipId, path } : undefined;
}

/**
 * The files of a card, each with what can be said about it: from `NAME.metadata.json` beside it when there is one, else
 * from the defaults and the file's own time.
 */
export async function filesOf(
  directory: string,
  defaults: { recorderSerial: string; collectorNumber: string },
): Promise<{ path: string; metadata: ClipMetadata }[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new DocksealError("usage", { detail: `${directory} cannot be read: ${error.code}`, cause: error });
  });
  const files: { path: string; metadata: ClipMetadata }[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isFile() || entry.name.startsWith(".") || entry.name.endsWith(sidecar)) continue;
    const path = join(directory, entry.name);
    files.push({ path, metadata: await metadataOf(path, entry.name, defaults) });
  }
  return files;
}

const sidecar = ".metadata.json";

async function metadataOf(
  path: string,
  fileName: string,
  defaults: { recorderSerial: string; collectorNumber: string },
): Promise<ClipMetadata> {
  const beside = await readFile(`${path}${sidecar}`, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (beside !== undefined) {
    return parseMetadata(JSON.stringify({ ...defaults, fileName, ...(JSON.parse(beside) as object) }));
  }
  const { mtime } = await stat(path);
  return { ...defaults, fileName, capturedAt: mtime.toISOString(), capturedAtSource: "file-time" };
}
