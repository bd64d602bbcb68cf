import { sql } from "kysely";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { logFigures } from "#custody";
import { type Database, isDatabaseAway } from "#db";
import { clipFigures } from "#ingest";

/** Figures of this process and of the whole, for Prometheus. */
export class Metrics {
  readonly registry = new Registry();
  readonly requests = new Histogram({
    name: "dockseal_http_request_seconds",
    help: "Time to answer, by operation and status",
    labelNames: ["operation", "status"],
    buckets: [0.005, 0.025, 0.1, 0.5, 2, 10, 60, 600],
    registers: [this.registry],
  });
  readonly uploads = new Counter({
    name: "dockseal_uploads_total",
    help: "Uploads by outcome: created, duplicate, or the code of the refusal",
    labelNames: ["outcome"],
    registers: [this.registry],
  });
  readonly uploadedBytes = new Counter({
    name: "dockseal_uploaded_bytes_total",
    help: "Bytes of clips that were taken",
    registers: [this.registry],
  });

  constructor(db: Database, uploadsRunning: () => number) {
    collectDefaultMetrics({ register: this.registry, prefix: "dockseal_" });
    const registers = [this.registry];
    // The figures of the process are wanted most when the database is away: only the database's own are missing then.
    const fromDatabase = async (gauge: { reset(): void }, read: () => Promise<unknown>): Promise<boolean> => {
      gauge.reset();
      try {
        await read();
        return true;
      } catch (error) {
        if (!isDatabaseAway(error)) throw error;
        return false;
      }
    };
    new Gauge({
      name: "dockseal_database_up",
      help: "1 while the database answers, else 0",
      registers,
      async collect() {
        this.set((await fromDatabase(this, () => sql`SELECT 1`.execute(db))) ? 1 : 0);
      },
    });
    new Gauge({
      name: "dockseal_uploads_running",
      help: "Uploads under way in this process",
      registers,
      collect() {
        this.set(uploadsRunning());
      },
    });
    new Gauge({
      name: "dockseal_clips",
      help: "Clips by state",
      labelNames: ["state"],
      registers,
      async collect() {
        await fromDatabase(this, async () => {
          const { states } = await clipFigures(db);
          for (const [state, count] of Object.entries(states)) this.set({ state }, count);
        });
      },
    });
    new Gauge({
      name: "dockseal_log_entries",
      help: "Entries of the custody log: sequenced, waiting, and covered by the last checkpoint",
      labelNames: ["part"],
      registers,
      async collect() {
        await fromDatabase(this, async () => {
          const figures = await logFigures(db);
          this.set({ part: "sequenced" }, figures.entries);
          this.set({ part: "waiting" }, figures.waiting);
          this.set({ part: "signed" }, figures.checkpointSize);
        });
      },
    });
  }
}
