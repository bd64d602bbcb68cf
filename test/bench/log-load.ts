import { sql } from "kysely";
import { appendEvent, eventProof, lastCheckpoint } from "#custody";
import { type Database, inTransaction, type Tx } from "#db";
import { verifyTlogProof } from "#evidence";
import { newId, pause } from "#kernel";

/** One append, as every room of the product does it. */
export function appendOne(tx: Tx): Promise<string> {
  return appendEvent(tx, {
    type: "clip.viewed",
    clipId: newId(),
    actor: { type: "system", id: "bench" },
    details: { rendition: "original" },
  });
}

/** The least that a writer could do instead: a row of the size of a leaf, with a key, in a transaction of its own. */
export async function preparePlain(db: Database): Promise<void> {
  await sql`CREATE TABLE bench_plain (id uuid PRIMARY KEY, leaf bytea NOT NULL)`.execute(db);
}

const plainLeaf = Buffer.alloc(240, 1);

export async function insertPlain(tx: Tx): Promise<string> {
  const id = newId();
  await sql`INSERT INTO bench_plain (id, leaf) VALUES (${id}::uuid, ${plainLeaf})`.execute(tx);
  return id;
}

export interface Load {
  readonly writers: number;
  /** Rows of one transaction. */
  readonly together: number;
  readonly seconds: number;
  readonly write: (tx: Tx) => Promise<string>;
  /** Told about a row of some transactions, once it is committed. */
  readonly onCommitted?: (id: string) => void;
}

/** Writers that each begin the next transaction when the last is committed. @returns how many rows were committed. */
export async function underLoad(db: Database, load: Load): Promise<number> {
  const end = performance.now() + load.seconds * 1000;
  let rows = 0;
  await Promise.all(
    Array.from({ length: load.writers }, async () => {
      while (performance.now() < end) {
        const id = await inTransaction(db, async (tx) => {
          let last = "";
          for (let count = 0; count < load.together; count += 1) last = await load.write(tx);
          return last;
        });
        rows += load.together;
        load.onCommitted?.(id);
      }
    }),
  );
  return rows;
}

/** Follows some events until their proofs are there, and checks each proof. */
export class Prober {
  readonly #db: Database;
  readonly #vkey: string;
  readonly #everyMs: number;
  readonly #running = new Set<Promise<void>>();
  /** Milliseconds from commit to a proof that holds. */
  readonly latenciesMs: number[] = [];
  #nextAt = 0;

  constructor(db: Database, vkey: string, perSecond: number) {
    this.#db = db;
    this.#vkey = vkey;
    this.#everyMs = 1000 / perSecond;
  }

  /** Takes this event when it is time for the next one. */
  committed(id: string): void {
    const now = performance.now();
    if (now < this.#nextAt) return;
    this.#nextAt = now + this.#everyMs;
    const following = this.#follow(id, now).finally(() => this.#running.delete(following));
    this.#running.add(following);
  }

  /** Until all that were taken are proved. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #follow(id: string, committedAt: number): Promise<void> {
    for (;;) {
      const proof = await eventProof(this.#db, id);
      if (proof === undefined) {
        await pause(20);
        continue;
      }
      verifyTlogProof(proof.proof, proof.leaf, [this.#vkey]);
      this.latenciesMs.push(performance.now() - committedAt);
      return;
    }
  }
}

/** Waits until a checkpoint covers every committed event. @returns its size. */
export async function untilSigned(db: Database): Promise<number> {
  for (;;) {
    const { rows } = await sql<{ waiting: boolean }>`SELECT EXISTS (SELECT FROM custody_pending) AS waiting`.execute(
      db,
    );
    const { rows: sizes } = await sql<{ size: number }>`SELECT max(index) + 1 AS size FROM log_entry`.execute(db);
    const signed = (await lastCheckpoint(db))?.size ?? 0;
    if (rows[0]?.waiting === false && signed === sizes[0]?.size) return signed;
    await pause(5);
  }
}
