import type { Found } from "./facts.ts";
import type { PlacedClip } from "./placed.ts";

/** One run of a recorder's counter: from its start, or from where it wrapped or was set back, to the next such place. */
export interface Run {
  /** By number. Two clips of one number are one file that was sent twice with other bytes. */
  readonly clips: readonly (PlacedClip & { readonly sequence: number })[];
  readonly at: ReadonlyMap<number, PlacedClip>;
}

type Numbered = PlacedClip & { readonly sequence: number };

/** A counter that falls by less was not set back: then it is the clock that went wrong. */
const smallestFall = 100;
/** So many numbers may be missing at the beginning of a counter that was set back; more, and it began elsewhere. */
const mostAtBeginning = 100;

/**
 * Tells runs of a recorder's counter apart. In the order of time the counter grows; where it falls, either it began anew
 * (the number was there already, or it fell by more than half and by many), or the clock was wrong.
 * @param clips in the order of {@link placeClips}.
 */
export function runsOf(clips: readonly PlacedClip[]): Run[] {
  const runs: OpenRun[] = [];
  const numbered = clips.filter((clip): clip is Numbered => clip.sequence !== undefined);
  const believable = (clip: Numbered) => clip.place !== undefined && clip.impossible === undefined;
  for (const clip of numbered.filter(believable)) {
    const run = runs.at(-1);
    if (run === undefined || run.beginsAnew(clip)) runs.push(new OpenRun(clip));
    else run.add(clip);
  }
  // What has no time goes where its number fits, into the latest run first.
  for (const clip of numbered.filter((one) => !believable(one))) {
    const run =
      runs.findLast((one) => one.surrounds(clip)) ??
      runs.findLast((one) => one.has(clip) !== "other-file") ??
      undefined;
    if (run === undefined) runs.push(new OpenRun(clip));
    else run.add(clip);
  }
  return runs.map((run) => run.closed());
}

class OpenRun {
  readonly #clips: Numbered[] = [];
  readonly #at = new Map<number, Numbered>();
  #highest = -1;

  constructor(first: Numbered) {
    this.add(first);
  }

  add(clip: Numbered): void {
    this.#clips.push(clip);
    if (!this.#at.has(clip.sequence)) this.#at.set(clip.sequence, clip);
    this.#highest = Math.max(this.#highest, clip.sequence);
  }

  has(clip: Numbered): "no" | "same-file" | "other-file" {
    const known = this.#at.get(clip.sequence);
    if (known === undefined) return "no";
    return known.fileName === clip.fileName && known.capturedAtRaw === clip.capturedAtRaw ? "same-file" : "other-file";
  }

  beginsAnew(clip: Numbered): boolean {
    const { sequence } = clip;
    if (sequence > this.#highest) return false;
    const known = this.has(clip);
    if (known !== "no") return known === "other-file";
    if (this.#at.has(sequence - 1) || this.#at.has(sequence + 1)) return false;
    return this.#highest - sequence >= smallestFall && sequence < this.#highest / 2;
  }

  surrounds(clip: Numbered): boolean {
    const { sequence } = clip;
    return this.has(clip) !== "other-file" && (this.#at.has(sequence - 1) || this.#at.has(sequence + 1));
  }

  closed(): Run {
    return { clips: this.#clips.toSorted((a, b) => a.sequence - b.sequence), at: this.#at };
  }
}

/** Missing numbers, each with the clip that it is missed after. `settledAtMs`: until then it may still fill up. */
export function missingNumbers(runs: readonly Run[]): { found: Found; settledAtMs: number }[] {
  return runs.flatMap((run, position) => {
    const missing: { found: Found; settledAtMs: number }[] = [];
    const [first] = run.clips;
    if (position > 0 && first !== undefined && first.sequence > 1 && first.sequence - 1 <= mostAtBeginning) {
      missing.push(gap(1, first.sequence - 1, undefined, first));
    }
    for (const [index, after] of run.clips.entries()) {
      const before = run.clips[index - 1];
      if (before === undefined || after.sequence - before.sequence <= 1) continue;
      missing.push(gap(before.sequence + 1, after.sequence - 1, before, after));
    }
    return missing;
  });
}

function gap(from: number, to: number, before: PlacedClip | undefined, after: PlacedClip) {
  const count = to - from + 1;
  const numbers = count === 1 ? `number ${from} is` : `numbers ${from} to ${to} are`;
  const found: Found = {
    kind: "gap-in-sequence",
    subject: before === undefined ? `before ${after.id}` : `after ${before.id}`,
    detail: `The ${numbers} missing, ${before === undefined ? "before" : `between ${before.fileName} and`} ${after.fileName}.`,
    evidence: {
      firstMissing: from,
      lastMissing: to,
      missingCount: count,
      clipIds: before === undefined ? [after.id] : [before.id, after.id],
    },
  };
  return { found, settledAtMs: Math.max(before?.receivedAtMs ?? 0, after.receivedAtMs) };
}
