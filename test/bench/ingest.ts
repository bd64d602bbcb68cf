import { isProblem } from "#kernel";
import { type EvidenceStore, openStore } from "#store";
import type { Endings } from "./endings.ts";
import { measured, type Usage } from "./measured.ts";
import { startProduct } from "./product.ts";
import { receiptLatencies } from "./receipts.ts";
import { median, type Row, rounded } from "./report.ts";
import { type Source, writeSource } from "./source.ts";
import { newKeys, type Way } from "./way.ts";
import { allWays, followed, reference } from "./ways.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

export interface IngestOptions {
  /** Sent in each measurement, by all uploads together. */
  readonly gib: number;
  /** How many uploads at once, e.g. [1, 8]. */
  readonly uploads: readonly number[];
  readonly rounds: number;
  /** Where a CPU profile of the API is written. */
  readonly profileDir?: string | undefined;
  /** Told what is being done. */
  readonly progress: (line: string) => void;
}

interface Sample {
  readonly way: Way;
  readonly uploads: number;
  readonly round: number;
  readonly mibPerSecond: number;
  readonly gib: number;
  readonly usage: Usage | undefined;
}

/**
 * Bytes a second into one S3 server on every way, in rounds that take all ways in turn: the machine's mood changes
 * from minute to minute, so only figures of one round are compared with each other, and medians are reported.
 */
export async function benchIngest(endings: Endings, options: IngestOptions): Promise<Row[]> {
  const product = await startProduct(endings, options.profileDir);
  const ways = await allWays(endings, product);
  const store = await openStore(product.storeUrl);
  endings.teardown(() => store.close());
  const sources = new Map<number, Source>();
  for (const uploads of options.uploads) {
    const sizeBytes = Math.ceil((options.gib * GiB) / uploads);
    sources.set(uploads, await writeSource(product.directory, `source-${uploads}`, sizeBytes));
  }
  // Before everything else: while bytes a second are measured no worker may take the processors, and none may find
  // afterwards what was removed.
  const latencies = await receiptLatencies(product, sources, options);
  const samples: Sample[] = [];
  // Round 0 warms up, with one upload: code is compiled, pools and pages are there.
  for (let round = 0; round <= options.rounds; round++) {
    for (const [uploads, source] of sources) {
      if (round === 0 && uploads !== options.uploads[0]) continue;
      for (const way of ways) {
        const keys = newKeys(round === 0 ? 1 : uploads);
        const order = { ...source, bucket: product.bucket, keys };
        const { seconds, usage } = await measured(way.meter, () => way.send(order));
        const bytes = source.sizeBytes * keys.length;
        const mibPerSecond = bytes / MiB / seconds;
        const sample = { way, uploads, round, mibPerSecond, gib: bytes / GiB, usage };
        if (round > 0) samples.push(sample);
        options.progress(`round ${round}, ${keys.length} at once, ${way.path}: ${mibPerSecond.toFixed(0)} MiB/s`);
        await removeAll(store);
      }
    }
  }
  return options.uploads.flatMap((uploads) =>
    ways.map((way) => ({ ...rowOf(samples, way, uploads), ...receiptOf(way, latencies.get(uploads)) })),
  );
}

function rowOf(samples: readonly Sample[], way: Way, uploads: number): Row {
  const own = samples.filter((sample) => sample.way === way && sample.uploads === uploads);
  const ratios = own.map((sample) => {
    const beside = samples.find(
      ({ way, uploads, round }) => way.path === reference && uploads === sample.uploads && round === sample.round,
    );
    if (beside === undefined) throw new Error(`no reference in round ${sample.round}`);
    return sample.mibPerSecond / beside.mibPerSecond;
  });
  const used = own.flatMap(({ usage, gib }) => (usage === undefined ? [] : [{ ...usage, gib }]));
  return {
    bench: "ingest",
    path: way.path,
    uploads,
    mibPerSecond: rounded(median(own.map((sample) => sample.mibPerSecond)), 1),
    ratioTo: { [reference]: rounded(median(ratios), 3) },
    ...(used.length === 0
      ? {}
      : {
          peakRssMiB: Math.round(Math.max(...used.map(({ peakRssMiB }) => peakRssMiB))),
          cpuSecondsPerGiB: rounded(median(used.map(({ cpuSeconds, gib }) => cpuSeconds / gib)), 2),
        }),
  };
}

function receiptOf(way: Way, latencies: readonly number[] = []): Pick<Row, "receiptMs"> {
  return way.path === followed ? { receiptMs: Math.round(median(latencies)) } : {};
}

/** Makes room. What is locked stays: sealed clips, and the canary of the server's write-once probe. */
async function removeAll(store: EvidenceStore): Promise<void> {
  for await (const version of store.list("")) {
    await store.remove(version).catch((error: unknown) => {
      if (!isProblem(error, "object-locked")) throw error;
    });
  }
}
