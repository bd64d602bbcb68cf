import {
  type CustodyLeaf,
  decodeUtf8,
  inclusionHolds,
  leafHash,
  openingMatches,
  parseCheckpoint,
  parseLogEntry,
  parseNote,
  parseOpening,
  parseTlogProof,
} from "#evidence";
import type { Json } from "#kernel";
import type { BagFiles } from "./bag-files.ts";
import { CheckGroups } from "./check-groups.ts";
import { type CheckList, failed, needed, notChecked } from "./check-list.ts";

/** The one type of event whose entry publishes a seal and commits to nothing. */
const PUBLISHED_SEAL = "clip.seal-published";
const FOLDER = "data/custody/";

/** An event whose details are what the log committed to. */
export interface OpenedEvent {
  readonly path: string;
  readonly leaf: CustodyLeaf;
  readonly details: Json;
}

/** Where the entry at this place of the log lies in a bag. */
export function entryPath(index: number, type: string): string {
  return `${FOLDER}${String(index).padStart(12, "0")}.${type}.entry.json`;
}

/**
 * Every custody event in the bag: its entry, what opens it, and its way to the bag's checkpoint.
 * @param options.checkpoint its note. @param options.wanted types of the events to give back.
 */
export async function checkCustody(
  list: CheckList,
  files: BagFiles,
  { checkpoint, wanted }: { checkpoint: string | undefined; wanted: ReadonlySet<string> },
): Promise<OpenedEvent[]> {
  const groups = new CheckGroups();
  const opened: OpenedEvent[] = [];
  const head = checkpoint === undefined ? undefined : parseCheckpoint(parseNote(checkpoint).text);
  for (const event of eventsIn(files, groups)) {
    const { path, index, type } = event;
    const entryBytes = await files.read(`${path}.entry.json`);
    const openingBytes = await files.read(`${path}.opening.json`);
    const proofBytes = await files.read(`${path}.proof.txt`);

    const entry = groups.make("custody-entry", "an entry of the log, of the type that its name says", path, () => {
      const entry = parseLogEntry(entryBytes());
      const found = entry.type === "seal" ? PUBLISHED_SEAL : entry.leaf.type;
      if (found !== type) throw failed(`of the type ${found}`);
      return entry;
    });
    groups.make("custody-opening", "the details that were logged", path, () => {
      const found = needed(entry);
      if (found.type === "seal") throw notChecked("a published seal says all that it says in the log");
      const opening = parseOpening(openingBytes());
      if (!openingMatches(found.leaf, opening)) throw failed("not the details that were logged");
      if (wanted.has(type)) opened.push({ path, leaf: found.leaf, details: opening.details });
    });
    groups.make("custody-proof", "the entry stands in the log, under the bag's checkpoint", path, () => {
      const proof = parseTlogProof(decodeUtf8(proofBytes(), "the proof"));
      const { size, root } = needed(head);
      if (proof.extra !== undefined) throw failed("the proof carries extra data");
      if (proof.checkpoint !== checkpoint) throw failed("it leads to another checkpoint");
      if (proof.index !== index) throw failed(`the proof is for place ${proof.index}`);
      if (!inclusionHolds({ index, size, leafHash: leafHash(entryBytes()), proof: proof.hashes, root })) {
        throw failed("the entry does not stand in the log at this place");
      }
    });
  }
  groups.into(list);
  return opened;
}

/** Each event once; a file that belongs to none fails. */
function eventsIn(files: BagFiles, groups: CheckGroups): { path: string; index: number; type: string }[] {
  const events = new Map<string, { path: string; index: number; type: string }>();
  for (const [path] of files.all(FOLDER)) {
    const [, stem = "", index, type = ""] =
      /^(data\/custody\/(\d{12})\.([a-z][a-z.-]*))\.(?:entry\.json|opening\.json|proof\.txt)$/.exec(path) ?? [];
    if (index === undefined) {
      groups.make("custody-entry", "", path, () => {
        throw failed("not the name of a part of a custody event");
      });
    } else events.set(stem, { path: stem, index: Number(index), type });
  }
  return [...events.values()];
}
