import { isProblem, pause } from "#kernel";
import { type Agent, type AgentOptions, lineOf, openAgent, type StationLine } from "./agent.ts";
import type { CardFile } from "./card-files.ts";
import type { ClockOffset } from "./clock.ts";
import { askReceipt, keptReceipt } from "./receipts.ts";
import { openOutgoing, sendFile } from "./send-file.ts";
import { persistently, Refusal, reasonOf } from "./server.ts";

export interface PushOptions extends AgentOptions {
  /** The files, once the agent can tell how far off the station's clock is. */
  readonly files: (clock: () => Promise<ClockOffset>) => readonly CardFile[] | Promise<readonly CardFile[]>;
  /** Longest time to wait for receipts after the last file was sent. */
  readonly waitSeconds: number;
}

/** Tries of a request before a file is given up until the next push. */
const attempts = 8;

/**
 * Sends files, a few at once, then waits for their receipts, and verifies each offline against the digests that
 * were computed here. Deletes nothing. Pushed again, files that have a verified receipt are not sent again.
 */
export async function pushFiles(options: PushOptions): Promise<StationLine[]> {
  const lines: StationLine[] = [];
  const onLine = (line: StationLine): void => {
    lines.push(line);
    options.onLine(line);
  };
  const agent = await openAgent({ ...options, onLine }, attempts);
  try {
    const waiting = [...(await options.files(agent.serverClock))];
    const sent: string[] = [];
    const worker = async (): Promise<void> => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        const key = await sendOne(agent, file);
        if (key !== undefined) sent.push(key);
      }
    };
    await Promise.all(Array.from({ length: agent.parallel }, worker));
    const patience = AbortSignal.any([options.signal, AbortSignal.timeout(options.waitSeconds * 1000)]);
    for (const key of sent) agent.tell(await receiptLine(agent, key, patience));
    return lines;
  } finally {
    await agent.close();
  }
}

/** @returns the key of a file that waits for its receipt; what is over has got its line. */
async function sendOne(agent: Agent, file: CardFile): Promise<string | undefined> {
  const { journal, tell } = agent;
  try {
    const outgoing = await openOutgoing(agent.card, file);
    const { key } = outgoing;
    try {
      const entry = journal.get(key);
      const kept = entry?.receipt === undefined ? undefined : await keptReceipt(agent, entry);
      if (kept !== undefined && "path" in kept) {
        tell({ ...lineOf(agent, key), file: file.name, state: "sealed", receipt: kept.path });
        return undefined;
      }
      if (kept !== undefined) await journal.note(key, { receipt: null });
      if (journal.get(key)?.sent === undefined) await sendFile(agent, outgoing);
      return key;
    } finally {
      await outgoing.source.close();
    }
  } catch (error) {
    const refused = error instanceof Refusal || isProblem(error);
    tell({ file: file.name, state: refused ? "refused" : "failed", problem: reasonOf(error) });
    return undefined;
  }
}

async function receiptLine(agent: Agent, key: string, signal: AbortSignal): Promise<StationLine> {
  const line = lineOf(agent, key);
  try {
    while (!signal.aborted) {
      const outcome = await persistently({ signal, attempts }, () => askReceipt(agent, key, signal));
      if (outcome.state === "sealed") return { ...line, state: "sealed", receipt: outcome.path };
      if (outcome.state === "unverified") return { ...line, state: "unverified", problem: outcome.problem };
      await pause(outcome.retryAfterSeconds * 500, signal);
    }
  } catch (error) {
    // Another server, or one that was restored from an older backup: the next push sends it again.
    if (error instanceof Refusal && error.status === 404) await agent.journal.note(key, { sent: null });
    if (!signal.aborted) return { ...line, state: "failed", problem: reasonOf(error) };
  }
  const problem = "no receipt yet, or none that enough witnesses cosigned: keep the file and push again";
  return { ...line, state: "waiting", problem };
}
