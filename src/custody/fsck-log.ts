import type { Tx } from "#db";
import type { Report } from "./finding.ts";
import { fsckEntries } from "./fsck-entries.ts";
import { fsckFixed, fsckHeadFile, fsckKeys } from "./fsck-heads.ts";
import type { LogKey } from "./log-key.ts";

/**
 * Derives the log from its entries again and names every difference: events, entries, tiles, checkpoints and their keys,
 * timestamps and cosignatures, and the head beside the key.
 * @param tx a snapshot: the log stands still meanwhile.
 * @returns what was looked at, to be held against what ought to be there.
 */
export async function fsckLog(tx: Tx, key: LogKey, report: Report): Promise<Readonly<Record<string, number>>> {
  const believed = await fsckKeys(tx, key, report);
  const counts = await fsckEntries(tx, believed, report);
  const fixed = await fsckFixed(tx, believed, report);
  await fsckHeadFile(tx, key, believed, report);
  return { ...counts, ...fixed };
}
