import { createHash } from "node:crypto";
import { canonicalJson, type Json } from "#kernel";
import { type EntryFact, type Found, instantText, type Limits } from "./facts.ts";
import { type PlacedClip, placeOf } from "./placed.ts";

/** Two statements of one beginning may be rounded differently. */
const sameMomentMs = 2000;

/**
 * Compares what cards were said to hold with what arrived.
 * @returns what differs, and what has not arrived, each with the moment from which it counts as never arrived.
 */
export function compareListed(
  entries: readonly EntryFact[],
  clips: readonly PlacedClip[],
  limits: Limits,
): { differing: Found[]; absent: { found: Found; dueAtMs: number }[] } {
  const arrived = new Arrived(clips);
  const differing = new Map<string, Found>();
  const absent = new Map<string, { found: Found; dueAtMs: number }>();
  const here = new Set<string>();
  // The first manifest that lists a file counts; an order that does not depend on how rows come.
  const inOrder = entries
    .map((entry) => ({ entry, text: canonicalJson(told(entry)) }))
    .sort((a, b) => a.entry.listedAtMs - b.entry.listedAtMs || (a.text < b.text ? -1 : Number(a.text > b.text)));
  for (const { entry } of inOrder) {
    const key = identityOf(entry);
    const clip = arrived.clipOf(entry);
    if (clip === undefined) {
      if (!absent.has(key)) absent.set(key, { found: neverArrived(entry, key), dueAtMs: dueAt(entry, limits) });
      continue;
    }
    here.add(key);
    const found = difference(entry, clip);
    if (found !== undefined && !differing.has(found.subject)) differing.set(found.subject, found);
  }
  return {
    differing: [...differing.values()],
    absent: [...absent].filter(([key]) => !here.has(key)).map(([, one]) => one),
  };
}

/** Clips by what an entry can name them by. */
class Arrived {
  readonly #bySha256: Map<string, PlacedClip[]>;
  readonly #byName: Map<string, PlacedClip[]>;
  readonly #bySequence: Map<string, PlacedClip[]>;

  constructor(clips: readonly PlacedClip[]) {
    const by = (key: (clip: PlacedClip) => string) => Map.groupBy(clips, key);
    this.#bySha256 = by(({ sha256 }) => sha256);
    this.#byName = by(({ fileName }) => fileName);
    this.#bySequence = by(({ sequence }) => String(sequence));
  }

  /** Names and numbers come again on a recorder: alone they name nothing, only with a size or a time. */
  clipOf(entry: EntryFact): PlacedClip | undefined {
    const [same] = entry.sha256 === undefined ? [] : (this.#bySha256.get(entry.sha256) ?? []);
    if (same !== undefined) return same;
    const named = this.#byName.get(entry.fileName) ?? [];
    const ofThatTime = named.filter((clip) => sameTime(entry, clip) && numbersAgree(entry, clip));
    const best = ofThatTime.find(({ sizeBytes }) => sizeBytes === entry.sizeBytes) ?? ofThatTime[0];
    if (best !== undefined) return best;
    // Without a digest, name and size are what there is to go by.
    if (entry.sha256 === undefined && entry.sizeBytes !== undefined) {
      const sized = named.find((clip) => clip.sizeBytes === entry.sizeBytes && numbersAgree(entry, clip));
      if (sized !== undefined) return sized;
    }
    if (entry.sequence === undefined) return undefined;
    return this.#bySequence.get(String(entry.sequence))?.find((clip) => sameTime(entry, clip));
  }
}

function numbersAgree(entry: EntryFact, clip: PlacedClip): boolean {
  return entry.sequence === undefined || clip.sequence === undefined || entry.sequence === clip.sequence;
}

function sameTime(entry: EntryFact, clip: PlacedClip): boolean {
  if (entry.capturedAt === clip.capturedAtRaw) return true;
  const [listed, sent] = [entryPlace(entry), clip.place];
  if (listed === undefined || sent === undefined || listed.scale !== sent.scale) return false;
  // Both are the recorder's own time: its clock's offset has no part in it.
  const difference = listed.startMs + (listed.clockOffsetMs ?? 0) - sent.startMs - (sent.clockOffsetMs ?? 0);
  return Math.abs(difference) <= sameMomentMs;
}

function entryPlace(entry: EntryFact) {
  return placeOf({ ...entry, capturedAtRaw: entry.capturedAt });
}

/** A file on a card, whatever else a manifest says of it. */
function identityOf({ fileName, capturedAt, sequence }: EntryFact): string {
  const identity: Json = { fileName, capturedAt, sequence: sequence ?? null };
  return createHash("sha256").update(canonicalJson(identity)).digest("hex");
}

/** Not before the limit has passed since the recording ended, nor before the station had time to send it. */
function dueAt(entry: EntryFact, limits: Limits): number {
  const place = entryPlace(entry);
  const settled = entry.listedAtMs + limits.settleSeconds * 1000;
  const end = place === undefined ? entry.listedAtMs : place.latestMs + (entry.durationSeconds ?? 0) * 1000;
  // A recorder's clock may be far ahead: then the limit counts from the day it was listed.
  return Math.max(settled, Math.min(end, entry.listedAtMs) + limits.lateAfterSeconds * 1000);
}

function told(entry: EntryFact): { readonly [name: string]: Json } {
  const { fileName, capturedAt, sequence, sizeBytes, sha256, manifestId } = entry;
  return { manifestId, ...JSON.parse(JSON.stringify({ fileName, capturedAt, sequence, sizeBytes, sha256 })) };
}

function neverArrived(entry: EntryFact, key: string): Found {
  return {
    kind: "never-arrived",
    subject: `entry ${key}`,
    detail: `${entry.fileName} of ${entry.capturedAt} was on the card, and did not arrive.`,
    evidence: { ...told(entry), listedAt: instantText(entry.listedAtMs) },
  };
}

function difference(entry: EntryFact, clip: PlacedClip): Found | undefined {
  const sizeDiffers = entry.sizeBytes !== undefined && entry.sizeBytes !== clip.sizeBytes;
  const digestDiffers = entry.sha256 !== undefined && entry.sha256 !== clip.sha256;
  if (!sizeDiffers && !digestDiffers) return undefined;
  return {
    kind: "differs-from-manifest",
    subject: `clip ${clip.id}`,
    detail: `${clip.fileName} arrived with another ${sizeDiffers ? "length" : "digest"} than the card's manifest lists.`,
    evidence: {
      clipIds: [clip.id],
      listed: told(entry),
      arrived: { fileName: clip.fileName, sizeBytes: clip.sizeBytes, sha256: clip.sha256 },
    },
  };
}
