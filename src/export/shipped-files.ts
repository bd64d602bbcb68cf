import { readFile } from "node:fs/promises";
import { join } from "node:path";

const docs = join(import.meta.dirname, "../../docs");

const names = ["verify-receipt.sh", "verify.html"] as const;

/** Programs of this version that go into every bag, so that whoever gets it needs nothing else. */
export function shippedFiles(): Promise<readonly { path: string; content: Buffer }[]> {
  return Promise.all(names.map(async (path) => ({ path, content: await readFile(join(docs, path)) })));
}
