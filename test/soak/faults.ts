import type { EmbeddedPostgres } from "#db";
import { pause } from "#kernel";
import type { Stack } from "../support/stack.ts";
import { until } from "../support/until.ts";
import { shuffled } from "./random.ts";

export interface Fault {
  readonly name: string;
  times: number;
  /** Kills something, and resolves when it runs again. */
  strike(): Promise<void>;
}

/** @param wrong told when a process had ended by itself before it was killed. */
export function faultsOf(on: {
  readonly stack: Stack;
  readonly postgres: EmbeddedPostgres;
  readonly s3: { restart(): Promise<void> };
  readonly wrong: (sentence: string) => void;
}): Fault[] {
  const { stack, postgres, s3, wrong } = on;
  /** A process that starts while its servers are away says so and ends, as a supervisor expects: it is started again. */
  const restarted = async (name: string, process: Stack["serve"]): Promise<void> => {
    if (!process.runs) wrong(`the ${name} had ended by itself`);
    await process.kill9();
    await until(`the ${name} runs again`, () => process.start().then(() => true), { everyMs: 500 });
  };
  const faults: Record<string, () => Promise<void>> = {
    api: () => restarted("api", stack.serve),
    worker: () => restarted("worker", stack.work),
    redis: async () => {
      await stack.redis?.kill9();
      await stack.redis?.restart();
    },
    "redis-flushed": async () => stack.redis?.flushAll(),
    postgresql: async () => {
      const { pid } = postgres;
      process.kill(pid, "SIGKILL");
      await until("PostgreSQL runs again", () => postgres.pid !== pid);
    },
    s3: () => s3.restart(),
  };
  return Object.entries(faults).map(([name, strike]) => ({ name, times: 0, strike }));
}

/**
 * One fault after the other with some rest between them, until the time is over and each has struck once. All are mended
 * when it ends.
 * @param restMs the longest rest.
 */
export async function strikeAll(
  faults: readonly Fault[],
  {
    random,
    over,
    restMs,
    tell,
  }: { random: () => number; over: AbortSignal; restMs: number; tell: (line: string) => void },
): Promise<void> {
  await pause(2_000, over);
  for (;;) {
    for (const fault of shuffled(faults, random)) {
      if (over.aborted && faults.every(({ times }) => times > 0)) return;
      tell(`kill: ${fault.name}`);
      await fault.strike();
      fault.times += 1;
      await pause(1_000 + random() * restMs, over);
    }
  }
}
