import { pause } from "#kernel";
import { type Agent, lineOf } from "./agent.ts";
import type { Entry } from "./journal.ts";
import { askReceipt } from "./receipts.ts";
import { backOffMs, Refusal, reasonOf } from "./server.ts";
import { isDue, type WipePolicy, wipe } from "./wipe.ts";

export interface Proving {
  readonly directory: string;
  readonly wipe: WipePolicy | undefined;
  /** Whether the file of a key was on the card at the last look. */
  readonly isOnCard: (key: string) => boolean;
}

const everyMs = 500;

/** Asks for receipts of what was sent, wipes what may be wiped, and reports that until it is acknowledged. */
export async function proveAndWipe(agent: Agent, proving: Proving): Promise<void> {
  const later = new Map<string, { failures: number; notBefore: number }>();
  const { signal } = agent;
  while (!signal.aborted) {
    for (const [key, entry] of agent.journal.entries()) {
      if (signal.aborted) break;
      const now = performance.now();
      const { failures = 0, notBefore = 0 } = later.get(key) ?? {};
      if (now < notBefore) continue;
      try {
        const pauseSeconds = await next(agent, proving, key, entry);
        later.set(key, { failures: 0, notBefore: performance.now() + pauseSeconds * 1000 });
      } catch (error) {
        if (signal.aborted) break;
        const lasting = error instanceof Refusal ? 10 : 1;
        const wait = backOffMs(failures + 1, error) * lasting;
        later.set(key, { failures: failures + 1, notBefore: performance.now() + wait });
        agent.tell({ ...lineOf(agent, key), state: "failed", problem: reasonOf(error) });
      }
      if (agent.journal.get(key) === undefined) later.delete(key);
    }
    await pause(everyMs, signal);
  }
}

/** One step for one file. @returns seconds until the next can be worth it. */
async function next(agent: Agent, proving: Proving, key: string, entry: Entry): Promise<number> {
  if (entry.wiped === true) return report(agent, key, entry);
  if (entry.sent !== undefined && entry.receipt === undefined) return receipt(agent, key);
  const { wipe: policy, directory } = proving;
  if (policy === undefined || agent.trust === undefined || !isDue(entry, policy, Date.now())) return 0;
  if (entry.wiping === undefined && !proving.isOnCard(key)) return 0;
  const outcome = await wipe({ ...agent, trust: agent.trust, directory, policy }, key);
  if (outcome === "wiped") agent.tell({ ...lineOf(agent, key), state: "wiped" });
  else if (outcome !== "gone") agent.tell({ ...lineOf(agent, key), state: "kept", problem: outcome.kept });
  return outcome === "wiped" ? 0 : 60;
}

async function receipt(agent: Agent, key: string): Promise<number> {
  try {
    const outcome = await askReceipt(agent, key, agent.signal);
    if (outcome.state === "waiting") return outcome.retryAfterSeconds / 2;
    if (outcome.state === "sealed") {
      agent.tell({ ...lineOf(agent, key), state: "sealed", receipt: outcome.path });
      return 0;
    }
    agent.tell({ ...lineOf(agent, key), state: "unverified", problem: outcome.problem });
    return 60;
  } catch (error) {
    // Another server, or one that was restored from an older backup: the file is sent again.
    if (error instanceof Refusal && error.status === 404) await agent.journal.note(key, { sent: null });
    throw error;
  }
}

/** Repeated until it is answered; then the file's story is over. */
async function report(agent: Agent, key: string, { file, sent, wiping }: Entry): Promise<number> {
  if (sent === undefined || wiping === undefined) throw new Error("a wipe is to be reported that was not noted");
  const fileName = [...file.path]
    .map((c) => (c < " " || c === "\u007f" ? "_" : c))
    .join("")
    .slice(-1000);
  const wiped = { sha256: sent.facts.sha256, wipedAt: wiping, fileName };
  await agent.server.askJson("POST", `/api/v1/clips/${sent.clipId}/source-wiped`, agent.signal, wiped);
  await agent.journal.forget(key);
  return 0;
}
