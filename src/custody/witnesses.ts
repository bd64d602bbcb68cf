import type { Database } from "#db";
import { isProblem, pause } from "#kernel";
import { type Alarm, clearAlarm, raiseAlarm } from "./alarms.ts";
import { askWitness, type WitnessReply } from "./ask-witness.ts";
import { lastCheckpoint, type SignedHead } from "./checkpoints.ts";
import { keepCosignature, markWitnessed, witnessFigures } from "./cosignatures.ts";
import type { Witness, Witnesses } from "./witness-file.ts";

export interface CollectOptions {
  readonly signal: AbortSignal;
  /** Between two rounds: not every checkpoint is sent, the newest is. */
  readonly pauseMs?: number;
  /** Longest time for one witness to answer. */
  readonly answerMs?: number;
  /** Longest pause before a witness that failed is asked again. */
  readonly longestBackOffMs?: number;
  /** A witness could not be asked, or a round failed; it is tried again. */
  readonly onError: (error: unknown, witness?: string) => void;
  /** News: somebody has to look. */
  readonly onAlarm: (alarm: Pick<Alarm, "kind" | "subject" | "detail">) => void;
}

const WHAT_TO_DO = {
  "log-forked":
    "The database was restored from an old backup, or the history was changed. Stop `work`, keep every backup and follow docs/operations.md, «When a witness refuses».",
  "witness-refuses":
    "Have the witness's operator compare origin and keys of this log with the policy there; compare the address here.",
} as const;

/**
 * Collects cosignatures until `signal` aborts. A round takes the newest checkpoint to all witnesses at once, so that
 * their cosignatures meet at the same sizes, and ends when enough of them answered or all did; who is slow or away
 * holds up nobody and is asked again later. Any number of processes may run it.
 */
export async function collectCosignatures(db: Database, witnesses: Witnesses, options: CollectOptions): Promise<void> {
  const asked = witnesses.list.map((witness) => new AskedWitness(db, witness, options));
  const underWay = new Set<Promise<void>>();
  while (!options.signal.aborted) {
    try {
      await round(db, witnesses, asked, underWay);
    } catch (error) {
      options.onError(error);
    }
    await pause(options.pauseMs ?? 1000, options.signal);
  }
  await Promise.allSettled(underWay);
}

async function round(
  db: Database,
  witnesses: Witnesses,
  asked: readonly AskedWitness[],
  underWay: Set<Promise<void>>,
): Promise<void> {
  const target = await lastCheckpoint(db);
  if (target === undefined) return;
  await markWitnessed(db, witnesses); // what a killed process kept but did not count
  const { standings } = await witnessFigures(db);
  const seen = new Map(standings.map(({ vkey, size }) => [vkey, size]));
  let cosigned = asked.filter(({ witness }) => seen.get(witness.vkey) === target.size).length;
  const enough = Promise.withResolvers<void>();
  const answers = asked
    .filter((one) => one.mayBeAsked && seen.get(one.witness.vkey) !== target.size)
    .map(async (one) => {
      if (!(await one.ask(target, seen.get(one.witness.vkey) ?? 0))) return;
      await markWitnessed(db, witnesses);
      cosigned += 1;
      if (cosigned === witnesses.threshold) enough.resolve();
    });
  for (const answer of answers) {
    underWay.add(answer);
    const ended = (): void => void underWay.delete(answer);
    answer.then(ended, ended);
  }
  await Promise.race([Promise.all(answers), enough.promise]);
}

/** One witness and how it stands with us: at most one request to it is under way. */
class AskedWitness {
  readonly witness: Witness;
  readonly #db: Database;
  readonly #options: CollectOptions;
  #busy = false;
  #seen = 0;
  #failures = 0;
  #notBefore = 0;

  constructor(db: Database, witness: Witness, options: CollectOptions) {
    this.#db = db;
    this.witness = witness;
    this.#options = options;
  }

  get mayBeAsked(): boolean {
    return !this.#busy && Date.now() >= this.#notBefore;
  }

  /**
   * @param seen size of its last cosignature here. What it said itself counts more: it may have cosigned since.
   * @returns true when its cosignature was kept. Never throws.
   */
  async ask(target: SignedHead, seen: number): Promise<boolean> {
    this.#busy = true;
    try {
      const kind = await this.#ask(target, Math.max(seen, this.#seen));
      if (kind === "forked" || kind === "refused") this.#backOff();
      else this.#failures = 0;
      return kind === "cosigned";
    } catch (error) {
      this.#backOff();
      if (!this.#options.signal.aborted) this.#options.onError(error, this.witness.name);
      return false;
    } finally {
      this.#busy = false;
    }
  }

  async #ask(target: SignedHead, seen: number): Promise<WitnessReply["kind"]> {
    const { signal, answerMs = 10_000 } = this.#options;
    const patience = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
    const reply = await askWitness(this.#db, this.witness, target, seen, patience).catch((error: unknown) => {
      // A line under its key that does not hold, or no answer of the protocol: it is not the witness that was agreed on.
      const strange = isProblem(error, "malformed-proof") || isProblem(error, "proof-rejected");
      if (strange) return { kind: "refused", detail: `${this.witness.name}: ${error.message}` } as const;
      throw error;
    });
    switch (reply.kind) {
      case "cosigned":
        await keepCosignature(this.#db, target.size, this.witness.vkey, reply.line);
        this.#seen = target.size;
        for (const kind of ["log-forked", "witness-refuses"]) {
          await clearAlarm(this.#db, { kind, subject: this.witness.name });
        }
        break;
      case "overtaken":
        this.#seen = reply.size;
        break;
      case "forked":
        // What it said of its size may be the truth of another history: ask afresh next time.
        this.#seen = 0;
        await this.#raise("log-forked", reply.detail);
        break;
      case "refused":
        await this.#raise("witness-refuses", reply.detail);
        break;
    }
    return reply.kind;
  }

  async #raise(kind: keyof typeof WHAT_TO_DO, found: string): Promise<void> {
    const alarm = { kind, subject: this.witness.name, detail: `${found}. ${WHAT_TO_DO[kind]}` };
    if (await raiseAlarm(this.#db, alarm)) this.#options.onAlarm(alarm);
  }

  #backOff(): void {
    const longest = this.#options.longestBackOffMs ?? 300_000;
    const backOffMs = Math.min(longest, 1000 * 2 ** this.#failures);
    this.#failures += 1;
    this.#notBefore = Date.now() + backOffMs * (0.5 + Math.random() / 2);
  }
}
