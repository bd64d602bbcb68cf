import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { ContentDigests, type ContentFacts } from "#evidence";
import { type Card, isMediumFault, type OpenFile, readExactly, sameLook } from "./card.ts";
import { syncFolder } from "./durable.ts";
import type { Range } from "./journal.ts";

const pieceBytes = 1024 * 1024;
/** The smallest that is read alone: a page, of which the sectors of every medium are parts. */
const sectorBytes = 4096;
/** As many as metadata may name. */
const maximumRanges = 1000;

export interface Rescued {
  readonly facts: ContentFacts;
  readonly unreadableRanges: readonly Range[];
}

/**
 * Copies what can be read of a file on a dying card, with zeros in place of the rest, and syncs the copy: the card is
 * read through once, and whatever has to be sent again is sent from the copy.
 * @throws Error when nothing at all can be read, or when the card is not there any more: then nothing is known about
 * what is on it.
 */
export async function rescue(card: Card, path: string, copy: string): Promise<Rescued> {
  const file = await card.open(path);
  try {
    const before = await file.look();
    await mkdir(dirname(copy), { recursive: true });
    const target = await open(`${copy}.part`, "w");
    const digests = new ContentDigests();
    const lost: Range[] = [];
    try {
      for (let at = 0; at < before.sizeBytes; at += pieceBytes) {
        const bytes = await readable(file, at, Math.min(pieceBytes, before.sizeBytes - at), lost);
        digests.update(bytes);
        await target.writeFile(bytes);
      }
      await target.sync();
    } finally {
      await target.close();
    }
    const unreadableRanges = merged(lost);
    if (unreadableRanges[0]?.length === before.sizeBytes) throw new Error("no byte of the file can be read");
    // A card that was pulled out may look like one that cannot be read.
    const again = await card.open(path);
    const after = await again.look().finally(() => again.close());
    if (!sameLook(before, after)) throw new Error("the card was changed while it was read");
    await rename(`${copy}.part`, copy);
    await syncFolder(dirname(copy));
    return { facts: digests.finish(), unreadableRanges };
  } finally {
    await file.close();
  }
}

/** Halves what cannot be read, down to a sector; a sector that stays unreadable is zeros and stands in `lost`. */
export async function readable(file: OpenFile, position: number, length: number, lost: Range[]): Promise<Buffer> {
  try {
    return await readExactly(file, position, length);
  } catch (error) {
    if (!isMediumFault(error)) throw error;
    if (length <= sectorBytes) {
      lost.push({ offset: position, length });
      return Buffer.alloc(length);
    }
    const half = Math.ceil(length / 2 / sectorBytes) * sectorBytes;
    const first = await readable(file, position, half, lost);
    return Buffer.concat([first, await readable(file, position + half, length - half, lost)]);
  }
}

/** Ascending ranges with neighbours joined; more than metadata takes are joined over the smallest gaps. */
export function merged(ranges: readonly Range[], most = maximumRanges): Range[] {
  let joined = joinedOver(ranges, 0);
  if (joined.length > most) {
    const gaps = joined.slice(1).map((range, at) => range.offset - endOf(joined[at]));
    const widest = gaps.sort((a, b) => a - b)[joined.length - most - 1] ?? 0;
    joined = joinedOver(joined, widest);
  }
  return joined;
}

function joinedOver(ranges: readonly Range[], gap: number): Range[] {
  const joined: Range[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && range.offset - endOf(last) <= gap) {
      joined[joined.length - 1] = { offset: last.offset, length: range.offset + range.length - last.offset };
    } else joined.push(range);
  }
  return joined;
}

function endOf(range: Range | undefined): number {
  return (range?.offset ?? 0) + (range?.length ?? 0);
}
