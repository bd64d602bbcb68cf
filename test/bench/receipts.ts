import { pause } from "#kernel";
import { Endings } from "./endings.ts";
import type { Product } from "./product.ts";
import type { Source } from "./source.ts";
import { newKeys } from "./way.ts";
import { sendBare } from "./ways.ts";

const askEveryMs = 50;
const longestMs = 600_000;

/**
 * How long a station waits for its proof: from the answer to an upload, which comes after the last byte is stored, until
 * the receipt can be fetched. With a worker, which reads everything back; it is ended again.
 * @param sources by how many of them are sent at once.
 * @returns milliseconds of all uploads, by how many were sent at once.
 */
export async function receiptLatencies(
  product: Product,
  sources: ReadonlyMap<number, Source>,
  options: { rounds: number; progress: (line: string) => void },
): Promise<Map<number, number[]>> {
  const working = new Endings();
  try {
    await product.startWorker(working);
    const latencies = new Map<number, number[]>([...sources.keys()].map((uploads) => [uploads, []]));
    // Round 0 warms up, with one upload.
    for (let round = 0; round <= options.rounds; round++) {
      for (const [uploads, { file }] of round === 0 ? [...sources].slice(0, 1) : sources) {
        const keys = newKeys(round === 0 ? 1 : uploads);
        const ms = await Promise.all(
          keys.map(async (key) => untilReceipt(product, await sendBare(product, file, key))),
        );
        if (round > 0) latencies.get(uploads)?.push(...ms);
        const listed = ms.map((each) => each.toFixed(0)).join(", ");
        options.progress(`receipts, round ${round}, ${keys.length} at once: ${listed} ms`);
      }
    }
    return latencies;
  } finally {
    await working.end();
  }
}

async function untilReceipt({ url, token }: Product, clipId: string): Promise<number> {
  const from = performance.now();
  while (true) {
    const answer = await fetch(`${url}/api/v1/clips/${clipId}/receipt`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const body = await answer.text();
    const ms = performance.now() - from;
    if (answer.status === 200) return ms;
    if (answer.status !== 202 || ms > longestMs) throw new Error(`no receipt after ${ms} ms: ${answer.status} ${body}`);
    await pause(askEveryMs);
  }
}
