import fc from "fast-check";
import t from "tap";
import { byteRange } from "../../src/http/routes/clips/send-object.ts";

const cases: [header: string | undefined, size: number, expected: ReturnType<typeof byteRange>][] = [
  [undefined, 10, undefined],
  ["bytes=0-0", 10, { start: 0, end: 0 }],
  ["bytes=0-9", 10, { start: 0, end: 9 }],
  ["bytes=0-10", 10, { start: 0, end: 9 }],
  ["bytes=9-", 10, { start: 9, end: 9 }],
  ["bytes=10-", 10, "unsatisfiable"],
  ["bytes=10-20", 10, "unsatisfiable"],
  ["bytes=-1", 10, { start: 9, end: 9 }],
  ["bytes=-10", 10, { start: 0, end: 9 }],
  ["bytes=-11", 10, { start: 0, end: 9 }],
  ["bytes=-0", 10, "unsatisfiable"],
  ["bytes=0-", 0, "unsatisfiable"],
  ["bytes=-5", 0, "unsatisfiable"],
  [" bytes=1-2 ", 10, { start: 1, end: 2 }],
  // What is no single range of bytes is ignored, as RFC 9110 §14.2 allows, and the whole is sent.
  ["bytes=2-1", 10, undefined],
  ["bytes=-", 10, undefined],
  ["bytes=", 10, undefined],
  ["bytes=a-b", 10, undefined],
  ["bytes=0-1,3-4", 10, undefined],
  ["bytes=0x1-2", 10, undefined],
  ["bytes=+1-2", 10, undefined],
  ["bytes 0-1", 10, undefined],
  ["seconds=0-1", 10, undefined],
  [`bytes=${"9".repeat(16)}-`, 10, undefined],
  [`bytes=0-${"9".repeat(15)}`, 10, { start: 0, end: 9 }],
];

t.test("a range header is read as RFC 9110 §14.1.2 says", async (t) => {
  for (const [header, size, expected] of cases) t.same(byteRange(header, size), expected, `${header} of ${size}`);
});

t.test("whatever a range says, it stays inside of the object", async () => {
  const header = fc.oneof(
    fc.string(),
    fc.tuple(fc.option(fc.nat()), fc.option(fc.nat())).map(([first, last]) => `bytes=${first ?? ""}-${last ?? ""}`),
  );
  fc.assert(
    fc.property(header, fc.nat(), (text, size) => {
      const range = byteRange(text, size);
      if (range === undefined || range === "unsatisfiable") return true;
      return 0 <= range.start && range.start <= range.end && range.end < size;
    }),
    { numRuns: 1000 },
  );
});
