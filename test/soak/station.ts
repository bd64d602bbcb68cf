import { pause } from "#kernel";
import { type Fleet, newRecording } from "../support/fault-station.ts";

export interface StationTally {
  files: number;
  aborted: number;
  stalled: number;
}

/**
 * One station until the time is over: files fast and slow, with and without a length, some cut off in the middle, some
 * that stop and say nothing. What it began to send in earnest it sends until it is taken.
 */
export async function runStation(
  fleet: Fleet,
  { number, random, over }: { number: number; random: () => number; over: AbortSignal },
): Promise<StationTally> {
  const tally: StationTally = { files: 0, aborted: 0, stalled: 0 };
  await pause(random() * 1_500, over);
  while (!over.aborted) {
    const kind = random();
    const large = random() < 0.04;
    const sizeBytes = Math.ceil(large ? 17_000_000 + random() * 8_000_000 : 20_000 + random() * 1_500_000);
    const recording = newRecording(sizeBytes, {
      lengthKnown: random() < 0.7,
      digestKnown: random() < 0.5,
      recorderSerial: `SOAK-${String(number).padStart(4, "0")}`,
    });
    if (kind < 0.12) {
      const signal = AbortSignal.timeout(Math.ceil(50 + random() * 800));
      await fleet.once(recording, { pieces: 20, gapMs: 60, signal });
      tally.aborted += 1;
    } else if (kind < 0.18) {
      // Longer between two pieces than the server waits.
      await fleet.once(recording, { pieces: 2, gapMs: 5_000 });
      tally.stalled += 1;
    } else {
      const slow = kind < 0.5;
      await fleet.push(recording, slow ? { pieces: 20, gapMs: 40 + random() * 120 } : { pieces: 2, gapMs: 5 });
      tally.files += 1;
    }
    await pause(200 + random() * 1_500, over);
  }
  return tally;
}
