import type { EmbeddedPostgres } from "#db";
import { until } from "../support/fault-until.ts";
import type { Stack } from "../support/stack.ts";

export interface Fault {
  readonly name: string;
  times: number;
  /** Kills something, and resolves when it runs again. */
  strike(): Promise<void>;
}

export function faultsOf(on: {
  readonly stack: Stack;
  readonly postgres: EmbeddedPostgres;
  readonly s3: { restart(): Promise<void> };
}): Fault[] {
  const { stack, postgres, s3 } = on;
  /** A process that starts while its servers are away says so and ends, as a supervisor expects: it is started again. */
  const restarted = async (process: Stack["serve"]): Promise<void> => {
    await process.kill9();
    await until("the process runs again", () => process.start().then(() => true), { everyMs: 500 });
  };
  const faults: Record<string, () => Promise<void>> = {
    api: () => restarted(stack.serve),
    worker: () => restarted(stack.work),
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
