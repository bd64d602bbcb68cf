import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { merged, rescue } from "../../src/station/rescue.ts";
import { cardWithFaults } from "../support/dying-card.ts";

t.test(
  "all that can be read of a dying card is kept, zeros stand for the rest, and the ranges say where",
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "dockseal-rescue-"));
    t.teardown(() => rm(directory, { recursive: true }));
    const bytes = Buffer.from(Array.from({ length: 3_000_001 }, (_, at) => 1 + (at % 251)));
    const faults = [
      { offset: 4096, length: 1 },
      { offset: 1_048_570, length: 10 },
      { offset: 2_999_999, length: 2 },
    ];
    const { facts, unreadableRanges } = await rescue(
      cardWithFaults({ "a.mp4": bytes }, faults),
      "a.mp4",
      join(directory, "c"),
    );
    t.strictSame(unreadableRanges, [
      { offset: 4096, length: 4096 },
      { offset: 1_044_480, length: 8192 },
      { offset: 2_998_272, length: 1729 },
    ]);
    const expected = Buffer.from(bytes);
    for (const { offset, length } of unreadableRanges) expected.fill(0, offset, offset + length);
    const copy = await readFile(join(directory, "c"));
    t.ok(copy.equals(expected), "the copy has every byte that could be read");
    t.equal(facts.sha256, createHash("sha256").update(expected).digest("hex"));

    const pulled = cardWithFaults({ "a.mp4": bytes }, [{ offset: 1, length: 1 }], { goneAfterOpening: 1 });
    await t.rejects(
      rescue(pulled, "a.mp4", join(directory, "d")),
      { code: "ENODEV" },
      "a card that was pulled is no damage",
    );
    const dead = cardWithFaults({ "a.mp4": bytes }, [{ offset: 0, length: bytes.length }]);
    await t.rejects(rescue(dead, "a.mp4", join(directory, "e")), /no byte/, "nothing read is not a clip of zeros");
  },
);

t.test("joined ranges are few, ascending, apart, and cover every range that was given", async () => {
  const gaps = fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 1, max: 50 })), { maxLength: 60 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 20 }), (list, most) => {
      let at = 0;
      const ranges = list.map(([gap, length]) => {
        const range = { offset: at + gap, length };
        at += gap + length;
        return range;
      });
      const joined = merged(ranges, most);
      const covers = ranges.every(({ offset, length }) =>
        joined.some((range) => range.offset <= offset && offset + length <= range.offset + range.length),
      );
      const apart = joined.every((range, index) => {
        const before = joined[index - 1];
        return before === undefined || before.offset + before.length < range.offset;
      });
      return covers && apart && joined.length <= most;
    }),
  );
});
