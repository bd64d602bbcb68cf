import { randomFillSync } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { isProblem } from "#kernel";
import { type EvidenceStore, openStore } from "#store";
import type { Endings } from "./endings.ts";
import { measured, type Usage } from "./measured.ts";
import { startProduct } from "./product.ts";
import { median, type Row, rounded } from "./report.ts";
import { allWays, newKeys, reference, type SendOrder, type Way } from "./ways.ts";

const GiB = 1024 ** 3;

export interface IngestOptions {
  /** Sent in each measurement, by all uploads together. */
  readonly gib: number;
  /** How many uploads at once, e.g. [1, 8]. */
  readonly uploads: readonly number[];
  readonly rounds: number;
  /** Told what is being done. */
  readonly progress: (line: string) => void;
}

interface Sample {
  readonly way: Way;
  readonly uploads: number;
  readonly round: number;
  readonly mbPerSecond: number;
  readonly gib: number;
  readonly usage: Usage | undefined;
}

/**
 * Bytes a second into one S3 server on every way, in rounds that take all ways in turn: the machine's mood changes
 * from minute to minute, so only figures of one round are compared with each other, and medians are reported.
 */
export async function benchIngest(endings: Endings, options: IngestOptions): Promise<Row[]> {
  const product = await startProduct(endings);
  const ways = await allWays(endings, product);
  const store = await openStore(product.storeUrl);
  endings.teardown(() => store.close());
  const sources = new Map<number, Pick<SendOrder, "file" | "sizeBytes">>();
  for (const uploads of options.uploads) {
    const sizeBytes = Math.ceil((options.gib * GiB) / uploads);
    const file = join(product.directory, `source-${uploads}`);
    await writeRandom(file, sizeBytes);
    sources.set(uploads, { file, sizeBytes });
  }
  const samples: Sample[] = [];
  // Round 0 warms up: code is compiled, pools and pages are there.
  for (let round = 0; round <= options.rounds; round++) {
    for (const [uploads, source] of sources) {
      if (round === 0 && uploads !== options.uploads[0]) continue;
      for (const way of ways) {
        const order = { ...source, bucket: product.bucket, keys: newKeys(uploads) };
        const { seconds, usage } = await measured(way.pid, () => way.send(order));
        const bytes = source.sizeBytes * uploads;
        const mbPerSecond = bytes / 1e6 / seconds;
        const sample = { way, uploads, round, mbPerSecond, gib: bytes / GiB, usage };
        if (round > 0) samples.push(sample);
        options.progress(`round ${round}, ${uploads} at once, ${way.path}: ${mbPerSecond.toFixed(0)} MB/s`);
        await removeAll(store);
      }
    }
  }
  return options.uploads.flatMap((uploads) => ways.map((way) => rowOf(samples, way, uploads)));
}

function rowOf(samples: readonly Sample[], way: Way, uploads: number): Row {
  const own = samples.filter((sample) => sample.way === way && sample.uploads === uploads);
  const ratios = own.map((sample) => {
    const beside = samples.find(
      ({ way, uploads, round }) => way.path === reference && uploads === sample.uploads && round === sample.round,
    );
    if (beside === undefined) throw new Error(`no reference in round ${sample.round}`);
    return sample.mbPerSecond / beside.mbPerSecond;
  });
  const used = own.flatMap(({ usage, gib }) => (usage === undefined ? [] : [{ ...usage, gib }]));
  return {
    bench: "ingest",
    path: way.path,
    uploads,
    mbPerSecond: rounded(median(own.map((sample) => sample.mbPerSecond)), 1),
    ratioTo: { [reference]: rounded(median(ratios), 3) },
    ...(used.length === 0
      ? {}
      : {
          peakRssMiB: Math.round(Math.max(...used.map(({ peakRssMiB }) => peakRssMiB))),
          cpuSecondsPerGiB: rounded(median(used.map(({ cpuSeconds, gib }) => cpuSeconds / gib)), 2),
        }),
  };
}

/** Bytes that no storage can make smaller. */
async function writeRandom(file: string, sizeBytes: number): Promise<void> {
  const block = Buffer.allocUnsafeSlow(Math.min(sizeBytes, 16 * 1024 ** 2));
  const handle = await open(file, "w");
  try {
    for (let written = 0; written < sizeBytes; ) {
      const { bytesWritten } = await handle.write(
        randomFillSync(block),
        0,
        Math.min(block.length, sizeBytes - written),
      );
      written += bytesWritten;
    }
  } finally {
    await handle.close();
  }
}

/** Makes room. The canary of the server's write-once probe is locked, and stays. */
async function removeAll(store: EvidenceStore): Promise<void> {
  for await (const version of store.list("")) {
    await store.remove(version).catch((error: unknown) => {
      if (!isProblem(error, "object-locked")) throw error;
    });
  }
}
