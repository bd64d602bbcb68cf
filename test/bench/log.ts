import { appendEvent, sequenceBatch } from "#custody";
import { inTransaction } from "#db";
import { newId } from "#kernel";
import type { Endings } from "./endings.ts";
import { startDatabase, temporaryDirectory } from "./product.ts";
import { median, type Row, rounded } from "./report.ts";

export interface LogOptions {
  /** Events in each round. */
  readonly events: number;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

/** Events in one transaction when they are appended: the sequencer is measured, not the commits before it. */
const appendedTogether = 500;

/** Custody events a second that the sequencer gives their place in the log, tiles included. */
export async function benchLog(endings: Endings, { events, rounds, progress }: LogOptions): Promise<Row[]> {
  const { db } = await startDatabase(endings, await temporaryDirectory(endings));
  const rates: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (let appended = 0; appended < events; appended += appendedTogether) {
      await inTransaction(db, async (tx) => {
        for (let count = 0; count < Math.min(appendedTogether, events - appended); count++) {
          await appendEvent(tx, {
            type: "clip.viewed",
            clipId: newId(),
            actor: { type: "system", id: "bench" },
            details: { count },
          });
        }
      });
    }
    const from = performance.now();
    let sequenced = 0;
    for (let batch = await sequenceBatch(db); batch > 0; batch = await sequenceBatch(db)) sequenced += batch;
    if (sequenced !== events) throw new Error(`${sequenced} events were sequenced, ${events} appended`);
    const rate = (sequenced / (performance.now() - from)) * 1000;
    progress(`round ${round}: ${rate.toFixed(0)} events a second`);
    rates.push(rate);
  }
  return [{ bench: "log", path: "sequencer", perSecond: rounded(median(rates), 0) }];
}
