import { sql } from "kysely";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { type AuditFigures, auditFigures } from "#audit";
import { logFigures, openAlarms, witnessFigures } from "#custody";
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
  readonly gatewayRefusals = new Counter({
    name: "dockseal_gateway_refused_total",
    help: "Requests to the gateway that were refused before they were looked at, by the code of the refusal",
    labelNames: ["code"],
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
      help: "Entries of the custody log: sequenced, waiting, covered by the last checkpoint, and by the last witnessed one",
      labelNames: ["part"],
      registers,
      async collect() {
        await fromDatabase(this, async () => {
          const figures = await logFigures(db);
          this.set({ part: "sequenced" }, figures.entries);
          this.set({ part: "waiting" }, figures.waiting);
          this.set({ part: "signed" }, figures.checkpointSize);
          this.set({ part: "witnessed" }, (await witnessFigures(db)).witnessedSize);
        });
      },
    });
    new Gauge({
      name: "dockseal_log_cosigned_size",
      help: "Size of the custody log that each witness cosigned last",
      labelNames: ["witness"],
      registers,
      async collect() {
        await fromDatabase(this, async () => {
          const { standings } = await witnessFigures(db);
          for (const { name, size } of standings) this.set({ witness: name }, size);
        });
      },
    });
    new Gauge({
      name: "dockseal_alarms",
      help: "Open alarms by kind",
      labelNames: ["kind"],
      registers,
      async collect() {
        await fromDatabase(this, async () => {
          const kinds = Map.groupBy(await openAlarms(db), ({ kind }) => kind);
          for (const [kind, alarms] of kinds) this.set({ kind }, alarms.length);
        });
      },
    });
    this.#auditGauges(db, fromDatabase);
  }

  #auditGauges(db: Database, fromDatabase: (gauge: Gauge, read: () => Promise<unknown>) => Promise<boolean>): void {
    // Gauges are collected side by side: one reading of the tables serves all of them.
    let reading: Promise<AuditFigures> | undefined;
    const figures = (): Promise<AuditFigures> => {
      reading ??= auditFigures(db).finally(() => {
        reading = undefined;
      });
      return reading;
    };
    const gauge = (
      name: string,
      help: string,
      labelNames: string[],
      set: (gauge: Gauge, figures: AuditFigures) => void,
    ): Gauge =>
      new Gauge({
        ...{ name, help, labelNames, registers: [this.registry] },
        async collect() {
          await fromDatabase(this, async () => set(this, await figures()));
        },
      });
    const oldest = "Time since the clip that was not read for the longest time was read last";
    gauge("dockseal_audit_oldest_check_seconds", oldest, [], (to, { oldestCheckAt }) => {
      if (oldestCheckAt !== null) to.set((Date.now() - Date.parse(oldestCheckAt)) / 1000);
    });
    const found = "Findings of the fixity audit that were not intact";
    gauge("dockseal_audit_faults", found, ["outcome"], (to, { faults }) => {
      for (const [outcome, count] of Object.entries(faults)) to.set({ outcome }, count);
    });
    const objects = "Objects of audits under way: expected, read";
    gauge("dockseal_audit_run_objects", objects, ["kind", "part"], (to, { running }) => {
      for (const { kind, read, expected } of running) {
        to.inc({ kind, part: "read" }, read);
        to.inc({ kind, part: "expected" }, expected);
      }
    });
    gauge("dockseal_audit_repairs", "Clips put right from the replica", [], (to, { repairs }) => to.set(repairs));
  }
}
