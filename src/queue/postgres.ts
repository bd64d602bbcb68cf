import { createPostgresBackend, DEFAULT_SCHEMA, Queue, runMigrations } from "bullmq";
import pg from "pg";
import type { Backend, Log } from "./backend.ts";
import { JobWorker } from "./worker.ts";

/** One connection a worker listens on, and a few for the short statements of all. */
const poolSize = 12;

/** BullMQ's tables live in a schema of their own, `bullmq`, of the database that `url` names. */
export function openPostgres(url: string, log: Log): Backend {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: 2_000,
    query_timeout: 10_000, // also frees connections whose server vanished without a word
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    options: `-c search_path=${DEFAULT_SCHEMA} -c timezone=UTC`,
  });
  pool.setMaxListeners(0); // each producer and worker listens
  const onLost = (error: Error) => log.warn({ err: error }, "the queue lost a connection to PostgreSQL");
  pool.on("error", onLost);
  let prepared: Promise<void> | undefined;

  async function prepare(): Promise<void> {
    const client = await pool.connect();
    client.on("error", onLost); // the pool listens only while a client is idle
    try {
      await runMigrations(client);
    } finally {
      client.off("error", onLost);
      client.release();
    }
  }

  return {
    kind: "postgres",
    async ready() {
      prepared ??= prepare().catch((error: unknown) => {
        prepared = undefined;
        throw error;
      });
      await prepared;
      // Asked each time: each Queue of BullMQ that starts while the server is away leaves a listener on the pool.
      await pool.query("select");
    },
    producer: (queueName) => new Queue(queueName, { connection: pool }, createPostgresBackend),
    worker: (queueName, processor, settings) =>
      new JobWorker(queueName, processor, { ...settings, connection: pool }, createPostgresBackend),
    async findProblems() {
      const { rows } = await pool.query<{ name: string; setting: string }>(
        "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes')",
      );
      return rows
        .filter((row) => row.setting === "off")
        .map((row) => `PostgreSQL forgets jobs in a crash: ${row.name} is off, set it to on`);
    },
    async close() {
      await pool.end();
    },
  };
}
