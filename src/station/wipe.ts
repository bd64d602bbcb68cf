import { lstat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ContentDigests, type ContentFacts } from "#evidence";
import type { Trust } from "#verify";
import { type Card, type Look, lookOf, sameLook } from "./card.ts";
import { syncFolder } from "./durable.ts";
import type { Entry, Journal, Range } from "./journal.ts";
import { keptReceipt } from "./receipts.ts";
import { readable } from "./rescue.ts";

const pieceBytes = 1024 * 1024;

export interface WipePolicy {
  /** How long a verified receipt must have been held. */
  readonly afterMs: number;
  /** Also files that could not be read whole. */
  readonly incomplete: boolean;
}

export interface Wiping {
  readonly journal: Journal;
  readonly card: Card;
  readonly stateDir: string;
  readonly directory: string;
  /** A wipe without keys from elsewhere is not to be had: the receipt's own word is no proof. */
  readonly trust: Trust;
  readonly policy: WipePolicy;
}

/** Checks that must have been made, and passed, before anything is removed. */
const needed = [
  "receipt-format",
  "entry",
  "inclusion-proof",
  "checkpoint-signature",
  "log-key-trusted",
  "opening",
  "manifest",
  "timestamp-token",
  "timestamp-logged",
  "timestamp-authority-trusted",
  "timestamp-current",
  "retention",
  "file-size",
  "file-sha256",
  "file-sm3",
  "file-chunk-root",
];

/** Whether a file's time has come. */
export function isDue(entry: Entry, policy: WipePolicy, now: number): boolean {
  const { sent, receipt, wiped } = entry;
  if (sent === undefined || receipt === undefined || wiped === true) return false;
  if (sent.unreadableRanges !== undefined && !policy.incomplete) return false;
  const held = now - Date.parse(receipt.verifiedAt);
  return held >= policy.afterMs;
}

/**
 * Removes one file from the card when all of this holds now: its receipt passes every check with keys given beforehand,
 * and the file, read once more, has the digests that the receipt is for.
 * @returns `wiped`; `gone` when the file was not there; or why it stays.
 */
export async function wipe(wiping: Wiping, key: string): Promise<"wiped" | "gone" | { readonly kept: string }> {
  const { journal, trust } = wiping;
  const entry = journal.get(key);
  if (entry?.sent === undefined) return { kept: "it was not sent" };
  const receipt = await keptReceipt({ stateDir: wiping.stateDir, trust }, entry, new Date());
  if ("problem" in receipt) return { kept: receipt.problem };
  const passed = new Set(receipt.verdict.checks.filter(({ status }) => status === "passed").map(({ name }) => name));
  const missing = needed.filter((name) => !passed.has(name));
  if (missing.length > 0) return { kept: `not passed: ${missing.join(", ")}` };

  const path = join(wiping.directory, entry.file.path);
  const read = await readAgain(wiping.card, path);
  if (read === undefined) return gone(wiping, key, entry, path);
  const { facts, look, settled, readWhole } = read;
  if (!settled) return { kept: "the file changed while it was read" };
  if (!readWhole && !wiping.policy.incomplete) return { kept: "the card cannot be read whole any more" };
  if (!sameFacts(facts, entry.sent.facts)) return { kept: "the file on the card is not the one that was sent" };
  // The time of the first try stays: a report that is repeated after a crash is the same report.
  const wipedAt = entry.wiping ?? new Date().toISOString();
  await journal.note(key, { wiping: wipedAt });
  // What is removed must be what was read, and not something that took its name meanwhile.
  if (!sameLook(look, lookOf(await lstat(path, { bigint: true }))))
    return { kept: "the file changed while it was read" };
  await unlink(path);
  await syncFolder(dirname(path));
  await journal.note(key, { wiped: true });
  return "wiped";
}

interface Again {
  readonly facts: ContentFacts;
  readonly look: Look;
  /** It did not change meanwhile. */
  readonly settled: boolean;
  readonly readWhole: boolean;
}

/** Removed before the process was killed, when that was noted; else by somebody else, which is not ours to report. */
async function gone({ journal }: Wiping, key: string, entry: Entry, path: string): Promise<"wiped" | "gone"> {
  if (entry.wiping === undefined) return "gone";
  // Without its folder, another card or none is mounted, and the file may well be on the one that is not.
  const folder = await lstat(dirname(path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (folder === undefined) return "gone";
  await journal.note(key, { wiped: true });
  return "wiped";
}

async function readAgain(card: Card, path: string): Promise<Again | undefined> {
  const file = await card.open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const look = await file.look();
    const digests = new ContentDigests();
    const lost: Range[] = [];
    for (let at = 0; at < look.sizeBytes; at += pieceBytes) {
      digests.update(await readable(file, at, Math.min(pieceBytes, look.sizeBytes - at), lost));
    }
    const after = await file.look();
    return { facts: digests.finish(), look, settled: sameLook(look, after), readWhole: lost.length === 0 };
  } finally {
    await file.close();
  }
}

function sameFacts(one: ContentFacts, other: ContentFacts): boolean {
  return (
    one.sizeBytes === other.sizeBytes &&
    one.sha256 === other.sha256 &&
    one.sm3 === other.sm3 &&
    one.chunkRoot === other.chunkRoot
  );
}
