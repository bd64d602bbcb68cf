import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ContentFacts } from "#evidence";
import { type Trust, type Verdict, verifyReceipt } from "#verify";
import { replaceFile } from "./durable.ts";
import type { Entry, Journal } from "./journal.ts";
import { accepted, retryAfterSeconds, type Server } from "./server.ts";

export interface Receipts {
  readonly server: Server;
  readonly journal: Journal;
  readonly stateDir: string;
  /** Keys that receipts must come from; without it those inside the receipt are believed. */
  readonly trust: Trust | undefined;
}

/** What asking for a receipt came to. */
export type ReceiptOutcome =
  | { readonly state: "waiting"; readonly retryAfterSeconds: number }
  | { readonly state: "sealed"; readonly path: string }
  | { readonly state: "unverified"; readonly problem: string };

/**
 * Asks once for the receipt of a file that was sent, verifies it offline against this station's own digests, keeps it
 * and notes that.
 * @throws Refusal when there will be none (the clip is in quarantine), Unavailable, or a fault of the line.
 */
export async function askReceipt(receipts: Receipts, key: string, signal: AbortSignal): Promise<ReceiptOutcome> {
  const { server, journal, trust } = receipts;
  const sent = journal.get(key)?.sent;
  if (sent === undefined) throw new Error("a receipt is asked for what was not sent");
  const answer = accepted(await server.ask("GET", `/api/v1/clips/${sent.clipId}/receipt`, { signal }));
  // A receipt whose checkpoint is not cosigned yet becomes another text: it is asked for again until it is.
  const tooEarly = trust?.witnesses !== undefined && answer.headers["dockseal-witnessed"] === "no";
  if (answer.status !== 200 || tooEarly) return { state: "waiting", retryAfterSeconds: retryAfterSeconds(answer) || 1 };
  const verdict = await verifyReceipt(answer.text, expectations(sent.facts, trust));
  const problem = problemOf(verdict, sent.clipId);
  if (problem !== undefined) return { state: "unverified", problem };
  const name = `${sent.facts.sha256}.${sent.clipId}.receipt.json`;
  await mkdir(join(receipts.stateDir, "receipts"), { recursive: true });
  await replaceFile(receiptPath(receipts, name), answer.text);
  await journal.note(key, { receipt: { name, verifiedAt: new Date().toISOString() } });
  return { state: "sealed", path: receiptPath(receipts, name) };
}

/** The receipt on disk, verified again. @returns undefined, and the reason, when it is not there or does not hold. */
export async function keptReceipt(
  receipts: Pick<Receipts, "stateDir" | "trust">,
  entry: Entry,
  now?: Date,
): Promise<{ path: string; verdict: Verdict } | { problem: string }> {
  if (entry.sent === undefined || entry.receipt === undefined) return { problem: "there is no receipt" };
  const path = receiptPath(receipts, entry.receipt.name);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return { problem: `${path} is not there` };
  const verdict = await verifyReceipt(text, {
    ...expectations(entry.sent.facts, receipts.trust),
    ...(now === undefined ? {} : { now }),
  });
  const problem = problemOf(verdict, entry.sent.clipId);
  return problem === undefined ? { path, verdict } : { problem };
}

function receiptPath({ stateDir }: Pick<Receipts, "stateDir">, name: string): string {
  return join(stateDir, "receipts", name);
}

function expectations(file: ContentFacts, trust: Trust | undefined) {
  return { file, ...(trust === undefined ? {} : { trust }) };
}

function problemOf({ ok, clipId, checks }: Verdict, expected: string): string | undefined {
  const failed = checks.filter((check) => check.status === "failed").map((check) => `${check.name}: ${check.detail}`);
  if (!ok) return failed.join("; ");
  return clipId === expected ? undefined : `it is the receipt of clip ${clipId}, not of ${expected}`;
}
