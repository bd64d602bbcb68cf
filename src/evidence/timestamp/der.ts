import { malformed } from "../refuse.ts";

// DER (ITU-T X.690 §10), no more than timestamps and certificates need. Reading is strict: definite lengths in their
// shortest form, no bytes left over anywhere, so that one value has one encoding.

/** Identifier octets; +0x20 is constructed (X.690 §8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Context-specific tag [n]: implicit over a primitive. */
export const context = (n: number): number => 0x80 + n;
/** Context-specific tag [n]: explicit, or implicit over a constructed value. */
export const contextConstructed = (n: number): number => 0xa0 + n;

export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content. */
  readonly encoded: Buffer;
}

/** Reads the values of one constructed value, in order. Errors are DocksealErrors `malformed-proof`. */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Tag of the next value; undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** The next value, which must have this tag (any, when not given). */
  next(tag?: number): DerValue {
    const start = this.#at;
    const found = this.#byte();
    if (tag !== undefined && found !== tag) throw notDer(`tag ${found} where ${tag} belongs`);
    if ((found & 0x1f) === 0x1f) throw notDer("a tag of several bytes");
    const length = this.#length();
    const content = this.#bytes.subarray(this.#at, this.#at + length);
    if (content.length !== length) throw notDer("it ends too early");
    this.#at += length;
    return { tag: found, content, encoded: this.#bytes.subarray(start, this.#at) };
  }

  /** The next value when it has this tag. */
  maybe(tag: number): DerValue | undefined {
    return this.peek() === tag ? this.next(tag) : undefined;
  }

  /** Reads the inside of the next value, all of it. */
  enter<T>(tag: number, read: (inside: DerReader) => T): T {
    return readAll(this.next(tag).content, read);
  }

  /** Reads the inside of the next value when it has this tag. */
  maybeEnter<T>(tag: number, read: (inside: DerReader) => T): T | undefined {
    return this.peek() === tag ? this.enter(tag, read) : undefined;
  }

  /** All values that are left, each by the same rule. */
  rest<T>(read: (reader: DerReader) => T): T[] {
    const values: T[] = [];
    while (this.peek() !== undefined) values.push(read(this));
    return values;
  }

  oid(): string {
    return oidText(this.next(TAG.oid).content);
  }

  integer(tag: number = TAG.integer): bigint {
    const { content } = this.next(tag);
    const [first, second] = content;
    // §8.3.2: the first nine bits are not all equal
    const padded = second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (first === undefined || padded) throw notDer("an integer not in its shortest form");
    return BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString("hex")}`));
  }

  boolean(): boolean {
    const { content } = this.next(TAG.boolean);
    // §11.1: TRUE is FF
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw notDer("a boolean of another form");
    return content[0] === 0xff;
  }

  octets(tag: number = TAG.octetString): Buffer {
    return this.next(tag).content;
  }

  /** Bits of a BIT STRING, first bit first. */
  bits(): boolean[] {
    const { content } = this.next(TAG.bitString);
    const unused = content[0] ?? 8;
    const bytes = content.subarray(1);
    const last = bytes.at(-1) ?? 0;
    // §11.2.1: unused bits are zero
    if (unused > 7 || (bytes.length === 0 && unused !== 0) || (last & ((1 << unused) - 1)) !== 0) {
      throw notDer("a bit string of another form");
    }
    const bits = [...bytes].flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((n) => ((byte >> n) & 1) === 1));
    return bits.slice(0, bits.length - unused);
  }

  /** GeneralizedTime, to the millisecond (digits beyond are cut off). */
  generalizedTime(): Date {
    const text = this.next(TAG.generalizedTime).content.toString("latin1");
    // §11.7: UTC, with seconds, a fraction without trailing zeros
    const [, year, month, day, hour, minute, second, fraction = ""] =
      /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d*[1-9]))?Z$/.exec(text) ?? [];
    const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, "0").slice(0, 3)}Z`;
    const time = new Date(iso);
    if (Number.isNaN(time.getTime()) || time.toISOString() !== iso) throw notDer("a time of another form");
    return time;
  }

  /** UTCTime with seconds (§11.8) through 2049, GeneralizedTime from then on: whole seconds (RFC 5280 §4.1.2.5). */
  time(): Date {
    if (this.peek() !== TAG.utcTime) return this.generalizedTime();
    const digits = this.next(TAG.utcTime).content.toString("latin1");
    if (digits.length !== "YYMMDDHHMMSSZ".length) throw notDer("a time of another form");
    const century = Number(digits.slice(0, 2)) < 50 ? "20" : "19";
    return readAll(der(TAG.generalizedTime, Buffer.from(century + digits)), (reader) => reader.generalizedTime());
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw notDer("it ends too early");
    this.#at += 1;
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    // §10.1: definite, in the fewest octets; four octets are more than any token has
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw notDer("a length that is indefinite or too long");
    let length = 0;
    for (let n = 0; n < count; n += 1) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (count - 1)) throw notDer("a length not in its shortest form");
    return length;
  }
}

/** Reads all of `bytes`; what is left over is refused. */
export function readAll<T>(bytes: Uint8Array, read: (reader: DerReader) => T): T {
  const reader = new DerReader(bytes);
  const value = read(reader);
  if (reader.peek() !== undefined) throw notDer("bytes are left over");
  return value;
}

function notDer(why: string): Error {
  return malformed(`not DER: ${why}`);
}

function oidText(content: Buffer): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  let fresh = true;
  for (const byte of content) {
    if (fresh && byte === 0x80) throw notDer("an object identifier not in its shortest form");
    arc = arc * 128n + BigInt(byte & 0x7f);
    fresh = byte < 0x80;
    if (fresh) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  const [first, ...rest] = arcs;
  if (first === undefined || !fresh || content.length > 64) throw notDer("an object identifier of another form");
  // §8.19.4: the first two arcs share one number
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - root * 40n, ...rest].join(".");
}

/** One value from its parts. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const length = wholeBytes(BigInt(content.length));
  return Buffer.concat([Buffer.of(tag, 0x80 + length.length), length, content]);
}

export const derSequence = (...parts: readonly Uint8Array[]): Buffer => der(TAG.sequence, ...parts);
export const derOctets = (bytes: Uint8Array): Buffer => der(TAG.octetString, bytes);
export const derNull = (): Buffer => der(TAG.null);
export const derUtf8 = (text: string): Buffer => der(TAG.utf8String, Buffer.from(text));
export const derTrue = (): Buffer => der(TAG.boolean, Buffer.of(0xff));

/** SET OF: sorted (§11.6). */
export function derSet(...parts: readonly Uint8Array[]): Buffer {
  return der(TAG.set, ...[...parts].sort(Buffer.compare));
}

/** A number of zero or more. */
export function derInteger(value: bigint | number): Buffer {
  const bytes = wholeBytes(BigInt(value));
  // a leading one would make it negative
  const sign = bytes.readUInt8(0) < 0x80 ? Buffer.of() : Buffer.of(0);
  return der(TAG.integer, sign, bytes);
}

/** @param oid dotted decimal. */
export function derOid(oid: string): Buffer {
  const [root = 0n, second = 0n, ...rest] = oid.split(".").map(BigInt);
  const octets = [root * 40n + second, ...rest].flatMap((arc) => {
    const groups = [Number(arc & 0x7fn)];
    for (let left = arc >> 7n; left > 0n; left >>= 7n) groups.unshift(Number(left & 0x7fn) | 0x80);
    return groups;
  });
  return der(TAG.oid, Buffer.from(octets));
}

/** A BIT STRING of whole bytes, as signatures and keys are. */
export const derBits = (bytes: Uint8Array): Buffer => der(TAG.bitString, Buffer.of(0), bytes);

/** A BIT STRING of named bits, trailing zeros cut off (§11.2.2). */
export function derNamedBits(...set: readonly number[]): Buffer {
  const highest = Math.max(...set);
  const unused = 7 - (highest % 8);
  const value = set.reduce((all, bit) => all | (1n << BigInt(highest + unused - bit)), 0n);
  const bytes = wholeBytes(value, (highest + unused + 1) / 8);
  return der(TAG.bitString, Buffer.of(unused), bytes);
}

/** GeneralizedTime in UTC, without trailing zeros in the fraction (§11.7). */
export function derTime(time: Date): Buffer {
  const digits = time.toISOString().replace(/[-:T]/g, "");
  return der(TAG.generalizedTime, Buffer.from(digits.replace(/(\.\d*?)0+Z$/, "$1Z").replace(".Z", "Z")));
}

/** Big-endian, in the fewest bytes, or in `count`. */
function wholeBytes(value: bigint, count = 1): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(Math.max(count * 2, hex.length + (hex.length % 2)), "0"), "hex");
}
