import { mkdir } from "node:fs/promises";
import type { Trust } from "#verify";
import { Bandwidth } from "./bandwidth.ts";
import { type Card, mountedCard } from "./card.ts";
import { type ClockOffset, measureServerClock } from "./clock.ts";
import { Journal } from "./journal.ts";
import { onlyAgentOf } from "./one-agent.ts";
import type { Receipts } from "./receipts.ts";
import type { Sending } from "./send-file.ts";
import { Server } from "./server.ts";

/** What became of one file: a line of `station push` and `station watch`. */
export interface StationLine {
  /** Path below the folder. */
  readonly file: string;
  readonly clipId?: string;
  readonly sha256?: string;
  readonly sizeBytes?: number;
  /**
   * The clip's state, or `refused`, `unverified` (a receipt that did not pass), `waiting` (no receipt yet), `failed`; of
   * `watch` also `wiped` and `kept` (was to be wiped, and was not).
   */
  readonly state: string;
  /** Path of the receipt, only when it was verified against this station's own digests of the file. */
  readonly receipt?: string;
  /** The card could not be read whole. */
  readonly unreadableRanges?: readonly { readonly offset: number; readonly length: number }[];
  readonly problem?: string;
}

export interface AgentOptions {
  readonly server: string;
  readonly token: string;
  readonly stateDir: string;
  /** Keys that receipts must come from; without it those inside the receipt are believed. */
  readonly trust?: Trust | undefined;
  /** Files under way at once; 2 when absent. */
  readonly parallel?: number | undefined;
  /** Of all of them together. */
  readonly bytesPerSecond?: number | undefined;
  readonly card?: Card;
  readonly signal: AbortSignal;
  readonly onLine: (line: StationLine) => void;
  /** Told how many bytes went out. */
  readonly onBytes?: (count: number) => void;
}

/** What pushing and watching share. */
export interface Agent extends Sending, Receipts {
  readonly parallel: number;
  readonly signal: AbortSignal;
  readonly tell: (line: StationLine) => void;
  /** Server's clock minus the station's. */
  readonly serverClock: () => Promise<ClockOffset>;
  close(): Promise<void>;
}

const clockHoldsMs = 600_000;

/** @throws DocksealError `usage` when another agent works with this state directory. */
export async function openAgent(options: AgentOptions, attempts: number): Promise<Agent> {
  await mkdir(options.stateDir, { recursive: true });
  const release = await onlyAgentOf(options.stateDir);
  const journal = await Journal.open(options.stateDir);
  const server = new Server(options.server, options.token);
  const patience = { signal: options.signal, attempts };
  let measured: { at: number; offset: Promise<ClockOffset> } | undefined;
  if (journal.damagedLines > 0) {
    const problem = `${journal.damagedLines} lines could not be read: what they said is found out anew`;
    options.onLine({ file: "journal.jsonl", state: "failed", problem });
  }
  return {
    server,
    journal,
    line: {
      server,
      patience,
      bandwidth: new Bandwidth(options.bytesPerSecond),
      onBytes: options.onBytes ?? (() => undefined),
    },
    card: options.card ?? mountedCard,
    stateDir: options.stateDir,
    trust: options.trust,
    parallel: options.parallel ?? 2,
    signal: options.signal,
    tell: options.onLine,
    serverClock: () => {
      const now = performance.now();
      if (measured === undefined || now - measured.at > clockHoldsMs) {
        const offset = measureServerClock(server, patience);
        measured = { at: now, offset };
        offset.catch(() => {
          measured = undefined; // whoever waits for it is told, and the next one asks again
        });
      }
      return measured.offset;
    },
    async close() {
      await journal.close();
      await release();
    },
  };
}

/** The members of a line that a file's place in the journal gives. */
export function lineOf(agent: Agent, key: string): Omit<StationLine, "state"> {
  const entry = agent.journal.get(key);
  const { sent } = entry ?? {};
  return {
    file: entry?.file.path ?? key,
    ...(sent === undefined ? {} : { clipId: sent.clipId, sha256: sent.facts.sha256, sizeBytes: sent.facts.sizeBytes }),
    ...(sent?.unreadableRanges === undefined ? {} : { unreadableRanges: sent.unreadableRanges }),
  };
}
