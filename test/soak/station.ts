import { pause } from "#kernel";
import { Fleet, newRecording, type Recording } from "../support/fault-station.ts";
import { ResumableSending } from "../support/fault-tus.ts";
import type { Pace } from "../support/paced-request.ts";
import { shuffled } from "./random.ts";

export const ways = ["form", "raw", "tus"] as const;
export type Way = (typeof ways)[number];
type Temper = "fast" | "slow" | "stalled" | "aborting";

/** What became of the files that one station sent one way. */
export interface WayTally {
  /** Begun, whatever became of them. */
  files: number;
  /** Answered 201 or 200: the station believes them safe. */
  acknowledged: number;
  stalled: number;
  aborted: number;
  /** Sent again from the first byte, or gone on with after a cut. */
  retries: number;
  /** Of these, gone on with. */
  resumed: number;
}

export const noTally = (): WayTally => ({ files: 0, acknowledged: 0, stalled: 0, aborted: 0, retries: 0, resumed: 0 });

const smallBytes = { least: 20_000, most: 1_500_000 };
/** Longer than one part of the store. */
const largeBytes = { least: 17_000_000, most: 25_000_000 };
/** Longer than the server waits for a byte (DOCKSEAL_UPLOAD_STALL_SECONDS of the soak). */
const stallMs = 5_000;

/**
 * A docking station with a token of its own, until the time is over: every way in, files fast and slow, with and
 * without a length, some cut off in the middle and given up, some that stop and say nothing. What it began to send in
 * earnest it sends until it is taken.
 */
export class SoakStation {
  readonly fleet: Fleet;
  readonly tallies: Readonly<Record<Way, WayTally>> = { form: noTally(), raw: noTally(), tus: noTally() };
  readonly #serial: string;
  readonly #random: () => number;
  /** The first upload by tus is cut whatever chance says: some must go on after a cut. */
  #cuts = 1;

  constructor(url: string, { token, number, random }: { token: string; number: number; random: () => number }) {
    this.fleet = new Fleet({ url, party: { token } }, { seconds: 300, longestPauseMs: 3_000 });
    this.#serial = `SOAK-${String(number).padStart(4, "0")}`;
    this.#random = random;
  }

  async run(over: AbortSignal): Promise<void> {
    // Every way once; after that chance decides.
    const first = shuffled(ways, this.#random);
    await pause(this.#random() * 1_500, over);
    while (!over.aborted) {
      const way = first.pop() ?? ways[Math.floor(this.#random() * ways.length)] ?? "form";
      await this.#send(way, this.#temper());
      await pause(this.#between(200, 1_700), over);
    }
  }

  #temper(): Temper {
    const chance = this.#random();
    if (chance < 0.12) return "aborting";
    if (chance < 0.18) return "stalled";
    return chance < 0.6 ? "slow" : "fast";
  }

  async #send(way: Way, temper: Temper): Promise<void> {
    const tally = this.tallies[way];
    const { retries } = this.fleet;
    const taken = this.fleet.acknowledged.length;
    const recording = this.#recording();
    tally.files += 1;
    if (temper === "aborting") tally.aborted += 1;
    if (temper === "stalled") tally.stalled += 1;
    try {
      if (way === "tus") await this.#resumably(recording, temper, tally);
      else if (temper === "aborting") await this.fleet.once(recording, this.#cut(), way);
      // Taken all the same when the server was slower to say so than the station to go on.
      else if (temper === "stalled") await this.fleet.once(recording, { pieces: 2, gapMs: stallMs }, way);
      else await this.fleet.push(recording, this.#pace(temper), way);
    } finally {
      tally.retries += this.fleet.retries - retries;
      tally.acknowledged += this.fleet.acknowledged.length - taken;
    }
  }

  /** Cut now and then whatever its temper, and gone on with. */
  async #resumably(recording: Recording, temper: Temper, tally: WayTally): Promise<void> {
    const sending = new ResumableSending(this.fleet, recording);
    const pieceBytes = Math.ceil(this.#between(200_000, 12_000_000));
    if (temper === "aborting") {
      await sending.step(pieceBytes, () => this.#cut());
      await sending.step(pieceBytes, () => this.#cut());
      if (this.#random() < 0.5) await sending.giveUp();
      return;
    }
    let stalls = temper === "stalled" ? 1 : 0;
    await sending.push(pieceBytes, () => {
      if (stalls-- > 0) return { pieces: 2, gapMs: stallMs };
      if (this.#cuts-- > 0) return this.#cut();
      return this.#random() < 0.2 ? this.#cut() : this.#pace(temper);
    });
    tally.resumed += sending.resumed;
  }

  #recording(): Recording {
    const { least, most } = this.#random() < 0.05 ? largeBytes : smallBytes;
    return newRecording(Math.ceil(this.#between(least, most)), {
      lengthKnown: this.#random() < 0.7,
      digestKnown: this.#random() < 0.5,
      recorderSerial: this.#serial,
    });
  }

  #pace(temper: Temper): Pace {
    return temper === "slow" ? { pieces: 20, gapMs: this.#between(40, 400) } : { pieces: 2, gapMs: 5 };
  }

  /** Ends before its last piece is due. */
  #cut(): Pace {
    return { pieces: 20, gapMs: 60, signal: AbortSignal.timeout(Math.ceil(this.#between(50, 850))) };
  }

  #between(least: number, most: number): number {
    return least + this.#random() * (most - least);
  }
}
