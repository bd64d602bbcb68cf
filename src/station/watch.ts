import { lstat } from "node:fs/promises";
import { isProblem, pause } from "#kernel";
import { type Agent, type AgentOptions, openAgent, type StationLine } from "./agent.ts";
import { Changed, type Look, lookOf, sameLook } from "./card.ts";
import { type CardFile, type Defaults, filesOf } from "./card-files.ts";
import { proveAndWipe } from "./prove-and-wipe.ts";
import { openOutgoing, sendFile } from "./send-file.ts";
import { backOffMs, Refusal, reasonOf } from "./server.ts";
import type { WipePolicy } from "./wipe.ts";

export interface WatchOptions extends AgentOptions {
  readonly directory: string;
  readonly defaults: Omit<Defaults, "serverClock">;
  /** A file is taken when neither size nor time changed for so long. */
  readonly quietMs: number;
  /** Between two looks at the card. */
  readonly lookEveryMs: number;
  /** Absent: nothing is ever removed. */
  readonly wipe?: WipePolicy | undefined;
}

/** Tries of a request before another file gets its turn. */
const attempts = 20;

/** What is remembered of a file between two looks at the card. */
interface Seen {
  readonly look: Look;
  /** On the monotonic clock. */
  readonly since: number;
  key?: string;
  busy: boolean;
  failures: number;
  notBefore: number;
}

/** Sends whatever comes to rest in a folder, for ever: until the signal aborts. Goes on where an earlier run ended. */
export async function watch(options: WatchOptions): Promise<void> {
  const said = new Map<string, string>();
  // What stays wrong is said once, not at every try.
  const onLine = (line: StationLine): void => {
    const text = `${line.state} ${line.clipId ?? ""} ${line.problem ?? ""}`;
    if (said.get(line.file) === text) return;
    said.set(line.file, text);
    options.onLine(line);
  };
  const agent = await openAgent({ ...options, onLine }, attempts);
  try {
    const watching = new Watching(agent, options);
    await Promise.all([
      watching.run(),
      proveAndWipe(agent, {
        directory: options.directory,
        wipe: options.wipe,
        isOnCard: (key) => watching.isOnCard(key),
      }),
    ]);
  } finally {
    await agent.close();
  }
}

class Watching {
  readonly #agent: Agent;
  readonly #options: WatchOptions;
  readonly #seen = new Map<string, Seen>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(agent: Agent, options: WatchOptions) {
    this.#agent = agent;
    this.#options = options;
  }

  isOnCard(key: string): boolean {
    return [...this.#seen.values()].some((seen) => seen.key === key);
  }

  async run(): Promise<void> {
    const { signal } = this.#agent;
    while (!signal.aborted) {
      await this.#look();
      await pause(this.#options.lookEveryMs, signal);
    }
    await Promise.all(this.#underWay);
  }

  async #look(): Promise<void> {
    const { directory, defaults } = this.#options;
    const { serverClock, signal, tell } = this.#agent;
    let files: CardFile[];
    try {
      files = await filesOf(directory, { ...defaults, serverClock });
    } catch (error) {
      this.#seen.clear();
      tell({ file: directory, state: "failed", problem: reasonOf(error) }); // no card, or one that is being changed
      return;
    }
    const names = new Set(files.map(({ name }) => name));
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name);
    for (const file of files) {
      const look = await lstat(file.path, { bigint: true }).then(lookOf, () => undefined); // gone since it was listed
      if (look === undefined) continue;
      const now = performance.now();
      const seen = this.#seen.get(file.name);
      if (seen === undefined || !sameLook(seen.look, look)) {
        if (seen?.busy !== true)
          this.#seen.set(file.name, { look, since: now, busy: false, failures: 0, notBefore: 0 });
        continue;
      }
      if (!this.#isDue(seen, now)) continue;
      while (this.#underWay.size >= this.#agent.parallel) await Promise.race(this.#underWay);
      if (signal.aborted) return;
      seen.busy = true;
      const work = this.#take(file, seen).finally(() => this.#underWay.delete(work));
      this.#underWay.add(work);
    }
  }

  #isDue(seen: Seen, now: number): boolean {
    if (seen.busy || now - seen.since < this.#options.quietMs || now < seen.notBefore) return false;
    return seen.key === undefined || this.#agent.journal.get(seen.key)?.sent === undefined;
  }

  /** Never rejects: what fails is tried again later. */
  async #take(file: CardFile, seen: Seen): Promise<void> {
    const { journal, tell, signal } = this.#agent;
    try {
      const outgoing = await openOutgoing(this.#agent.card, file);
      try {
        if (!sameLook(outgoing.source.look, seen.look)) return; // the next look sees it
        seen.key = outgoing.key;
        if (journal.get(outgoing.key)?.sent === undefined) await sendFile(this.#agent, outgoing);
        seen.failures = 0;
      } finally {
        await outgoing.source.close();
      }
    } catch (error) {
      if (signal.aborted) return;
      const refused = error instanceof Refusal || isProblem(error);
      seen.failures += 1;
      seen.notBefore = performance.now() + backOffMs(seen.failures, error) * (refused ? 10 : 1);
      // What was growing is not at fault: it is taken once it is at rest.
      if (error instanceof Changed) return;
      tell({ file: file.name, state: refused ? "refused" : "failed", problem: reasonOf(error) });
    } finally {
      seen.busy = false;
    }
  }
}
