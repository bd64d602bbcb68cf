import fc from "fast-check";
import t from "tap";
import {
  DerReader,
  der,
  derBits,
  derInteger,
  derNamedBits,
  derOctets,
  derOid,
  derSequence,
  derSet,
  derTime,
  derTrue,
  readAll,
  TAG,
} from "../../../src/evidence/timestamp/der.ts";

const notDer = { code: "malformed-proof", message: /^not DER/ };
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

t.test("what is written is read back: numbers, identifiers, times, lengths", async (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 160n }), (value) => {
      t.equal(
        readAll(derInteger(value), (reader) => reader.integer()),
        value,
      );
    }),
    { numRuns: 50 },
  );
  const arc = fc.bigInt({ min: 0n, max: 2n ** 128n });
  const oid = fc.oneof(
    fc.tuple(fc.constantFrom(0n, 1n), fc.bigInt({ min: 0n, max: 39n }), arc),
    fc.tuple(fc.constant(2n), fc.bigInt({ min: 0n, max: 2n ** 64n }), arc),
  );
  fc.assert(
    fc.property(oid, (arcs) => {
      t.equal(
        readAll(derOid(arcs.join(".")), (reader) => reader.oid()),
        arcs.join("."),
      );
    }),
    { numRuns: 50 },
  );
  const moment = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });
  fc.assert(
    fc.property(moment, (time) => {
      t.equal(readAll(derTime(time), (reader) => reader.generalizedTime()).getTime(), time.getTime());
    }),
    { numRuns: 50 },
  );
  for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
    const bytes = Buffer.alloc(length, 1);
    t.equal(readAll(derOctets(bytes), (reader) => reader.octets()).length, length);
  }
});

t.test("encodings are the ones of X.690", async (t) => {
  t.equal(derInteger(0).toString("hex"), "020100");
  t.equal(derInteger(128).toString("hex"), "02020080");
  t.equal(derOid("2.999.3").toString("hex"), "0603883703", "the example of §8.19");
  t.equal(derTime(new Date("2026-01-02T03:04:05.000Z")).subarray(2).toString(), "20260102030405Z");
  t.equal(derTime(new Date("2026-01-02T03:04:00.120Z")).subarray(2).toString(), "20260102030400.12Z");
  t.equal(derNamedBits(5, 6).toString("hex"), "03020106");
  t.equal(derNamedBits(25).toString("hex"), "03050600000040");
  t.equal(derSet(derInteger(2), derInteger(1)).toString("hex"), "3106020101020102", "a SET OF is sorted");
  const bits = readAll(derNamedBits(0, 9), (reader) => reader.bits());
  t.same(bits, [true, false, false, false, false, false, false, false, false, true]);
  t.same(readAll(derBits(Buffer.of(0x80)), (reader) => reader.bits()).length, 8);
  t.same(
    readAll(hex("0301 00"), (reader) => reader.bits()),
    [],
    "no bits at all",
  );
  t.equal(
    readAll(hex("0201 ff"), (reader) => reader.integer()),
    -1n,
  );
  t.equal(
    readAll(derTrue(), (reader) => reader.boolean()),
    true,
  );
});

t.test("whatever is not in its one form is refused", async (t) => {
  const read: [why: string, bytes: Buffer, read: (reader: DerReader) => unknown][] = [
    ["nothing", hex(""), (r) => r.next()],
    ["bytes left over", hex("0500 00"), (r) => r.next()],
    ["cut off in the content", hex("0402 00"), (r) => r.next()],
    ["cut off in the length", hex("0482 01"), (r) => r.next()],
    ["another tag", hex("0500"), (r) => r.next(TAG.sequence)],
    ["a tag of several bytes", hex("1f01 00"), (r) => r.next()],
    ["an indefinite length", hex("3080 0000"), (r) => r.next()],
    ["a long length for a short one", hex("0481 0100"), (r) => r.next()],
    ["a length with a leading zero", Buffer.concat([hex("0482 0080"), Buffer.alloc(128)]), (r) => r.next()],
    ["a length of five octets", hex("0485 0100000000"), (r) => r.next()],
    ["left over inside", derSequence(derInteger(1), derInteger(2)), (r) => r.enter(TAG.sequence, (i) => i.integer())],
    ["an empty integer", hex("0200"), (r) => r.integer()],
    ["a padded integer", hex("0202 007f"), (r) => r.integer()],
    ["a padded negative integer", hex("0202 ff80"), (r) => r.integer()],
    ["a boolean of another truth", hex("0101 01"), (r) => r.boolean()],
    ["a boolean of two octets", hex("0102 ffff"), (r) => r.boolean()],
    ["an empty identifier", hex("0600"), (r) => r.oid()],
    ["a padded identifier", hex("0602 8001"), (r) => r.oid()],
    ["an identifier that does not end", hex("0601 81"), (r) => r.oid()],
    ["an endless identifier", der(TAG.oid, Buffer.alloc(65, 1)), (r) => r.oid()],
    ["bits without their head", hex("0300"), (r) => r.bits()],
    ["eight unused bits", hex("0302 0800"), (r) => r.bits()],
    ["unused bits of nothing", hex("0301 01"), (r) => r.bits()],
    ["unused bits that are set", hex("0302 0101"), (r) => r.bits()],
    ...[
      "20260102030405",
      "2026010203Z",
      "20260102030405.0Z",
      "20260102030405.Z",
      "20260102030405.10Z",
      "20261302030405Z",
      "20260230030405Z",
      "20260102030460Z",
      "20260102030405+0100",
      "garbage",
    ].map((text): [string, Buffer, (reader: DerReader) => unknown] => [
      `the time ${text}`,
      der(TAG.generalizedTime, Buffer.from(text)),
      (r) => r.generalizedTime(),
    ]),
  ];
  for (const [why, bytes, how] of read) t.throws(() => readAll(bytes, how), notDer, why);
});

t.test("digits of a time beyond milliseconds are cut off", async (t) => {
  const time = der(TAG.generalizedTime, Buffer.from("20260102030405.123999Z"));
  t.equal(readAll(time, (reader) => reader.generalizedTime()).toISOString(), "2026-01-02T03:04:05.123Z");
});

t.test("optional values are taken only when they stand there", async (t) => {
  const reader = new DerReader(derInteger(1));
  t.equal(reader.maybe(TAG.boolean), undefined);
  t.equal(
    reader.maybeEnter(TAG.sequence, () => 1),
    undefined,
  );
  t.equal(reader.maybe(TAG.integer)?.content.toString("hex"), "01");
  t.equal(reader.peek(), undefined);
});
