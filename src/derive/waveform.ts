/**
 * The shape that audiowaveform(1) documents as its JSON data format, version 2: `data` holds a lowest and a highest
 * value for each of `length` stretches of `samples_per_pixel` samples, from −128 to 127.
 */
export interface Waveform {
  readonly version: 2;
  readonly channels: 1;
  readonly sample_rate: number;
  readonly samples_per_pixel: number;
  readonly bits: 8;
  readonly length: number;
  readonly data: readonly number[];
}

const mostStretches = 1024;

/**
 * Gathers peaks of sound whose length is not known beforehand, in bounded memory: when there are too many stretches,
 * each two become one, and the next ones are twice as long.
 */
export class PeakGatherer {
  samples = 0;
  #samplesPerStretch = 16;
  #data: number[] = [];
  #inStretch = 0;
  #lowest = 0;
  #highest = 0;
  #odd: number | undefined;

  /** Takes the next bytes, 16 bits signed, little-endian; a sample may be cut between two calls. */
  take(chunk: Buffer): void {
    let offset = 0;
    if (this.#odd !== undefined && chunk.length > 0) {
      this.#sample(Buffer.from([this.#odd, chunk[0] ?? 0]).readInt16LE(0));
      this.#odd = undefined;
      offset = 1;
    }
    for (; offset + 2 <= chunk.length; offset += 2) this.#sample(chunk.readInt16LE(offset));
    if (offset < chunk.length) this.#odd = chunk[offset];
  }

  result(sampleRate: number): Waveform {
    const data = this.#inStretch > 0 ? [...this.#data, this.#lowest, this.#highest] : this.#data;
    return {
      version: 2,
      channels: 1,
      sample_rate: sampleRate,
      samples_per_pixel: this.#samplesPerStretch,
      bits: 8,
      length: data.length / 2,
      // The upper eight bits, as audiowaveform(1) does it.
      data: data.map((value) => value >> 8),
    };
  }

  #sample(value: number): void {
    this.samples += 1;
    if (this.#inStretch === 0) {
      this.#lowest = value;
      this.#highest = value;
    } else if (value < this.#lowest) this.#lowest = value;
    else if (value > this.#highest) this.#highest = value;
    this.#inStretch += 1;
    if (this.#inStretch < this.#samplesPerStretch) return;
    this.#data.push(this.#lowest, this.#highest);
    this.#inStretch = 0;
    if (this.#data.length >= 2 * mostStretches) this.#halve();
  }

  #halve(): void {
    const halved: number[] = [];
    for (let n = 0; n < this.#data.length; n += 4) {
      const [low1 = 0, high1 = 0, low2 = 0, high2 = 0] = this.#data.slice(n, n + 4);
      halved.push(Math.min(low1, low2), Math.max(high1, high2));
    }
    this.#data = halved;
    this.#samplesPerStretch *= 2;
  }
}
