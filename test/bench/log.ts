import { join } from "node:path";
import { sql } from "kysely";
import { eventProof, logKeyIn, requireKeyOfLog, sequenceBatch } from "#custody";
import { type Database, openDatabase } from "#db";
import { verifyTlogProof } from "#evidence";
import { firstLineOf, startChild } from "./child.ts";
import type { Endings } from "./endings.ts";
import { appendOne, insertPlain, type Load, Prober, preparePlain, underLoad, untilSigned } from "./log-load.ts";
import { startDatabase, temporaryDirectory } from "./product.ts";
import { median, percentile, type Row, rounded } from "./report.ts";

export interface LogOptions {
  /** Writers at once, a row each. */
  readonly writers: readonly number[];
  /** Length of each measurement. */
  readonly seconds: number;
  readonly rounds: number;
  /** Size of the tree whose proofs are measured. */
  readonly entries: number;
  readonly progress: (line: string) => void;
}

/** Events in one transaction of the rows that append several: what receiving, hashing and deriving a few clips makes. */
const together = 10;
const plain = "plain insert";
const proofsPerSecond = 10;

/**
 * Appends a second that end up in the log under a checkpoint while proofs are asked for, beside plain inserts of the same
 * server and writers; then proofs of a large tree.
 */
export async function benchLog(endings: Endings, options: LogOptions): Promise<Row[]> {
  const directory = await temporaryDirectory(endings);
  const { db: owner, appUrl } = await startDatabase(endings, directory);
  await preparePlain(owner);
  await sql`GRANT INSERT ON bench_plain TO dockseal_app`.execute(owner);
  const key = await logKeyIn(join(directory, "keys"), "bench.example/log");
  await requireKeyOfLog(owner, key);
  const sequencer = startChild(endings, {
    script: join(import.meta.dirname, "log-sequencer.ts"),
    args: [appUrl, directory],
    environment: {},
  });
  await firstLineOf(sequencer);

  const rows: Row[] = [];
  for (const writers of options.writers) {
    const db = openDatabase({ url: appUrl, pool: writers, onConnectionError: () => undefined });
    const proofs = openDatabase({ url: appUrl, pool: 4, onConnectionError: () => undefined });
    try {
      // Connections are opened before, and the server has seen every statement once.
      for (const write of [insertPlain, appendOne]) await underLoad(db, { writers, together: 1, seconds: 0.2, write });
      for (const size of [1, together]) {
        rows.push(...(await beside({ db, proofs, vkey: key.vkey, writers, together: size }, options)));
      }
    } finally {
      await db.destroy();
      await proofs.destroy();
    }
  }
  rows.push(await proofsOfLargeTree(owner, key.vkey, options));
  return rows;
}

interface Side {
  readonly db: Database;
  readonly proofs: Database;
  readonly vkey: string;
  readonly writers: number;
  readonly together: number;
}

/** Plain inserts and appends in turn, some rounds. */
async function beside(side: Side, { rounds, seconds, progress }: LogOptions): Promise<Row[]> {
  const load = { writers: side.writers, together: side.together, seconds };
  const rates = { plain: [] as number[], log: [] as number[] };
  const latencies: number[] = [];
  const name = `${side.writers} ${side.writers === 1 ? "writer" : "writers"}, ${side.together} a transaction`;
  for (let round = 1; round <= rounds; round += 1) {
    rates.plain.push(await rateOf(side, { ...load, write: insertPlain }));
    const prober = new Prober(side.proofs, side.vkey, proofsPerSecond);
    rates.log.push(
      await rateOf(side, { ...load, write: appendOne, onCommitted: (id) => prober.committed(id) }, untilSigned),
    );
    await prober.settled();
    latencies.push(...prober.latenciesMs);
    progress(
      `${name}, round ${round}: ${rates.plain.at(-1)?.toFixed(0)} plain, ${rates.log.at(-1)?.toFixed(0)} in the log`,
    );
  }
  return [
    { bench: "log", path: `${plain}: ${name}`, perSecond: rounded(median(rates.plain), 0) },
    {
      bench: "log",
      path: `append to provable: ${name}`,
      perSecond: rounded(median(rates.log), 0),
      p50Ms: rounded(percentile(latencies, 50), 1),
      p99Ms: rounded(percentile(latencies, 99), 1),
      ratioTo: { [plain]: rounded(median(rates.log.map((rate, at) => rate / (rates.plain[at] ?? Number.NaN))), 2) },
    },
  ];
}

/** Rows a second, counted until `settled` says that they are all where they belong. */
async function rateOf({ db, proofs }: Side, load: Load, settled?: (db: Database) => Promise<unknown>): Promise<number> {
  const from = performance.now();
  const rows = await underLoad(db, load);
  await settled?.(proofs);
  return (rows / (performance.now() - from)) * 1000;
}

const proofsMeasured = 1000;

/** Grows the log to the size by entries that are made inside the database, and asks for proofs all over it. */
async function proofsOfLargeTree(db: Database, vkey: string, { entries, progress }: LogOptions): Promise<Row> {
  let size = await untilSigned(db);
  while (size < entries) {
    const more = Math.min(50_000, entries - size);
    await sql`
      WITH made AS (
        INSERT INTO custody_event (id, type, at, actor, details, salt, leaf)
        SELECT id, 'clip.viewed', clock_timestamp(), 'system:bench', '{}', repeat('0', 64),
          convert_to('{"at":"2026-01-01T00:00:00.000Z","commitment":"' || repeat('0', 64) || '","id":"' || id
            || '","subject":{"clip":"' || id || '"},"type":"clip.viewed","v":1}', 'UTF8')
        FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, ${more})) AS ids RETURNING id)
      INSERT INTO custody_pending (event_id) SELECT id FROM made`.execute(db);
    while ((await sequenceBatch(db, 20_000)) > 0);
    size = await untilSigned(db);
    progress(`the tree has ${size} entries`);
  }
  const latencies: number[] = [];
  for (let count = 0; count < proofsMeasured; count += 1) {
    const index = Math.floor(Math.random() * size);
    const { eventId } = await db
      .selectFrom("logEntry")
      .select("eventId")
      .where("index", "=", index)
      .executeTakeFirstOrThrow();
    const from = performance.now();
    const proof = await eventProof(db, eventId);
    latencies.push(performance.now() - from);
    if (proof === undefined) throw new Error(`no proof of entry ${index}`);
    verifyTlogProof(proof.proof, proof.leaf, [vkey]);
  }
  return {
    bench: "log",
    path: `proof at ${size} entries`,
    p50Ms: rounded(percentile(latencies, 50), 1),
    p99Ms: rounded(percentile(latencies, 99), 1),
  };
}
