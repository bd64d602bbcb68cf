import fc from "fast-check";
import t from "tap";
import { analyse, type ClipFact, defaultLimits, type EntryFact, type RecorderFacts } from "#recordings";

const noon = Date.UTC(2026, 10, 21, 4); // 12:00 in Shanghai
const dayMs = 86_400_000;
const limits = { ...defaultLimits, settleSeconds: 0 };
/** Long after everything, so that nothing is waited for. */
const later = noon + 30 * dayMs;

/** What a recorder in Shanghai shows so many seconds after noon. */
function shown(seconds: number): string {
  return new Date(noon + 8 * 3_600_000 + seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** A clip of five minutes that begins so many seconds after noon and arrives an hour after it began. */
function clip(id: string, seconds: number, other: Partial<ClipFact> = {}): ClipFact {
  return {
    ...{ id, kind: "video", fileName: `${id}.mp4`, sizeBytes: 100, sha256: id.padEnd(64, "0"), unreadableBytes: 0 },
    ...{ receivedAtMs: noon + (seconds + 3600) * 1000, capturedAtRaw: shown(seconds), capturedAtZone: "+08:00" },
    durationSeconds: 300,
    ...other,
  };
}

function entry(fileName: string, seconds: number, other: Partial<EntryFact> = {}): EntryFact {
  const listed = { manifestId: "m", listedAtMs: noon + (seconds + 3600) * 1000, fileName, capturedAt: shown(seconds) };
  return { ...listed, capturedAtZone: "+08:00", durationSeconds: 300, ...other };
}

const of = (clips: ClipFact[], other: Partial<RecorderFacts> = {}, now = later, allowed = limits) =>
  analyse({ clips, entries: [], clocks: [], ...other }, allowed, now);
const named = (analysis: ReturnType<typeof of>) => analysis.findings.map(({ kind, subject }) => `${kind} ${subject}`);
const chains = (analysis: ReturnType<typeof of>) =>
  analysis.recordings.map(({ id, segments }) => `${id}: ${segments.map(({ clip: { id } }) => id).join(" ")}`);

t.test("segments that continue each other are one recording, and nothing is wrong with them", async (t) => {
  const numbered = of([
    clip("a", 0, { sequence: 7 }),
    clip("b", 300, { sequence: 8 }),
    clip("c", 601, { sequence: 9 }),
  ]);
  t.same(chains(numbered), ["a: a b c"], "by consecutive numbers");
  t.same(named(numbered), []);
  const unnumbered = of([clip("a", 0), clip("b", 302), clip("c", 606)]);
  t.same(chains(unnumbered), ["a: a b", "c: c"], "without numbers only end to start, within two seconds");
  t.same(named(unnumbered), [], "and what does not continue is another recording, no gap");
  t.same(
    chains(of([clip("a", 0), clip("p", 100, { kind: "photo" }), clip("b", 300)])),
    ["a: a b"],
    "a photo is no segment",
  );
  t.same(
    chains(of([clip("a", 0, { durationSeconds: undefined, sequence: 1 }), clip("b", 300, { sequence: 2 })])),
    ["a: a", "b: b"],
    "what has no known end is continued by nothing",
  );
});

t.test("a recording keeps its id whatever arrives later", async (t) => {
  const [a, c] = [clip("a", 0, { sequence: 1 }), clip("c", 600, { sequence: 3 })];
  t.same(chains(of([a, c])), ["a: a", "c: c"], "two, while the segment between them is missing");
  const b = clip("b", 300, { sequence: 2, receivedAtMs: later });
  t.same(chains(of([a, b, c], {}, later)), ["a: a b c"], "the older one's id stays");
  const first = clip("z", -300, { sequence: 0, receivedAtMs: later });
  t.same(chains(of([first, a, b, c])), ["a: z a b c"], "also when the late one comes first in time");
});

t.test("missing numbers and missing time are found once they had time to come", async (t) => {
  const clips = [clip("a", 0, { sequence: 4 }), clip("b", 900, { sequence: 7 }), clip("c", 1300, { sequence: 8 })];
  const settled = of(clips);
  t.same(named(settled), ["gap-in-sequence after a", "gap-in-time after b"]);
  t.match(settled.findings[0]?.evidence, { firstMissing: 5, lastMissing: 6, missingCount: 2, clipIds: ["a", "b"] });
  t.match(settled.findings[1]?.evidence, { gapMs: 100_000, clipIds: ["b", "c"] });
  const arrived = noon + (900 + 3600) * 1000;
  const early = of(clips, {}, arrived + 1000, defaultLimits);
  t.same(named(early), [], "not while the station may still be sending");
  t.equal(early.nextLookAtMs, arrived + 3_600_000, "and it says when to look again");
  const explained = of([...clips.slice(0, 2), clip("c", 1300, { sequence: 8, interruptionReason: "电池" })]);
  t.same(named(explained), ["gap-in-sequence after a"], "a stated reason explains a gap in time");
});

t.test("a counter that wraps or begins anew is no gap, and no jump of the clock", async (t) => {
  const wrapped = [9998, 9999, 1, 2].map((sequence, index) => clip(`c${index}`, index * 300, { sequence }));
  t.same(named(of(wrapped)), [], "9999 is followed by 1");
  const missing = [9998, 9999, 3, 4].map((sequence, index) => clip(`c${index}`, index * 300, { sequence }));
  t.same(named(of(missing)), ["gap-in-sequence before c2"], "what is missing after the wrap is");
  const reset = [1, 2, 3, 1, 2].map((sequence, index) => clip(`c${index}`, index * 300, { sequence }));
  t.same(named(of(reset)), [], "a formatted card begins at 1 again");
  const twins = [clip("a", 0, { sequence: 1 }), clip("b", 300, { sequence: 2 })];
  const again = { ...clip("d", 300, { sequence: 2 }), fileName: "b.mp4" };
  t.same(
    named(of([...twins, again, clip("c", 600, { sequence: 3 })])),
    ["overlap clip d"],
    "one file sent twice with other bytes",
  );
});

t.test("clocks that jump are noticed", async (t) => {
  const back = of([clip("a", 0, { sequence: 1 }), clip("b", 300, { sequence: 2 }), clip("c", -900, { sequence: 3 })]);
  t.same(named(back), ["clock-jump order c"], "the order of numbers against that of times");
  for (const raw of ["1970-01-01 00:03:00", "2000-01-01 08:00:00", "2015-01-01 00:00:12", "0000-00-00 00:00:00"]) {
    const lost = of([clip("a", 0, { sequence: 1 }), clip("b", 0, { sequence: 2, capturedAtRaw: raw })]);
    t.same(named(lost), ["clock-jump date b"], raw);
  }
  t.same(named(of([clip("a", 0, { receivedAtMs: noon - dayMs / 2 })])), ["clock-jump future a"], "after its arrival");
  t.same(named(of([clip("a", 0, { capturedAtRaw: "约中午" })])), [], "words are no wrong clock");
  const clocks = [0, 1000, 90_000].map((offsetMs, at) => ({
    atMs: noon + at,
    offsetMs,
    uncertaintyMs: 500,
    source: `m${at}`,
  }));
  t.same(named(of([], { clocks })), ["clock-jump offset m2"], "another offset than at the docking before");
});

t.test("a change of clocks is not taken for a jump, and an ambiguous hour stays ambiguous", async (t) => {
  const received = Date.UTC(2026, 9, 25, 12);
  const berlin = (id: string, raw: string, sequence: number, capturedAtZone: string | undefined = "Europe/Berlin") =>
    clip(id, 0, { capturedAtRaw: raw, capturedAtZone, sequence, receivedAtMs: received, durationSeconds: 1200 });
  const autumn: [string, string, number][] = [
    ["a", "2026-10-25 01:50:00", 1],
    ["b", "2026-10-25 02:55:00", 2],
    ["c", "2026-10-25 02:05:00", 3],
    ["d", "2026-10-25 03:10:00", 4],
  ];
  t.same(named(of(autumn.map((one) => berlin(...one)))), [], "with a zone: both readings are possible");
  const unzoned = of(autumn.map((one) => ({ ...berlin(...one), capturedAtZone: undefined })));
  t.same(
    unzoned.findings.filter(({ kind }) => kind === "clock-jump"),
    [],
    "without one: an hour back is no jump",
  );
  t.match(unzoned.findings[0]?.evidence, { zoneKnown: false }, "and what seems to overlap says that no zone is known");
  const far = [clip("a", 0, { sequence: 1 }), clip("b", -7200, { sequence: 2 })].map((one) => {
    const { capturedAtZone: _zone, ...rest } = one;
    return rest;
  });
  t.same(named(of(far)), ["clock-jump order b"], "two hours back do");
});

t.test("overlaps beyond the recorder's look back are found, whatever the clock was off", async (t) => {
  t.same(named(of([clip("a", 0), clip("b", 271)])), [], "29 s of look back");
  t.same(named(of([clip("a", 0), clip("b", 269)])), ["overlap clip b"]);
  t.same(named(of([clip("long", 0, { durationSeconds: 900 }), clip("b", 100), clip("c", 500)])), [
    "overlap clip b",
    "overlap clip c",
  ]);
  const unsure = { clockOffsetMs: 5000, clockUncertaintyMs: 60_000 };
  const docked = [clip("a", 0, unsure), clip("b", 205, { clockOffsetMs: 0, clockUncertaintyMs: 60_000 })];
  t.same(named(of(docked)), [], "what two comparisons of clocks leave open is not called an overlap");
  t.same(named(of([clip("a", 0, unsure), clip("b", 200, unsure)])), ["overlap clip b"], "one comparison drops out");
  t.same(
    named(of([clip("a", 0), { ...clip("b", 100), capturedAtZone: undefined }])),
    [],
    "with and without a zone cannot be compared",
  );
});

t.test("what arrives after the limit is late, by the latest moment at which it can have ended", async (t) => {
  const ended = noon + 300_000;
  const at = (ms: number, other: Partial<ClipFact> = {}) =>
    named(of([clip("a", 0, { receivedAtMs: ended + ms, ...other })]));
  t.same(at(dayMs), [], "to the millisecond");
  t.same(at(dayMs + 1), ["late-arrival clip a"]);
  t.same(at(dayMs + 1, { clockOffsetMs: 0, clockUncertaintyMs: 5000 }), [], "not while the clock leaves it open");
  t.same(at(dayMs + 1, { clockOffsetMs: -600_000 }), [], "a clock that was slow: it ended later");
  t.same(at(dayMs + 10 * 3_600_000, { capturedAtZone: undefined }), [], "nor while the zone does");
  t.same(
    at(dayMs + 21 * 3_600_000, { capturedAtZone: undefined }),
    ["late-arrival clip a"],
    "in every zone of the world",
  );
  t.same(named(of([clip("a", 0, { unreadableBytes: 512 })])), ["incomplete-source clip a"]);
});

t.test("what a card held and what arrived are compared", async (t) => {
  const sha256 = "a".repeat(64);
  const held = clip("a", 0, { sequence: 5, sha256 });
  const match = (entries: EntryFact[], clips = [held]) => of(clips, { entries });
  const kinds = (analysis: ReturnType<typeof of>) => analysis.findings.map(({ kind }) => kind);
  t.same(kinds(match([entry("renamed.mp4", 9, { sha256 })])), [], "by digest, under whatever name");
  t.same(kinds(match([entry("a.mp4", 9999, { sizeBytes: 100 })])), [], "by name and size");
  t.same(kinds(match([entry("x.mp4", 0, { sequence: 5 })])), [], "by number and time");
  t.same(kinds(match([entry("a.mp4", 5000, { sizeBytes: 101 })])), ["never-arrived"], "names come again");
  t.same(kinds(match([entry("x.mp4", 5000, { sequence: 5 })])), ["never-arrived"], "and so do numbers");
  t.same(kinds(match([entry("a.mp4", 0, { sizeBytes: 101 })])), ["differs-from-manifest"]);
  t.same(kinds(match([entry("a.mp4", 0, { sha256: "b".repeat(64) })])), ["differs-from-manifest"]);
  const listedTwice = [entry("gone.mp4", 0), entry("gone.mp4", 0, { manifestId: "n", sizeBytes: 7 })];
  t.same(kinds(match(listedTwice, [])), ["never-arrived"], "listed twice, missed once");
  const due = noon + 300_000 + dayMs;
  t.same(kinds(of([], { entries: [entry("gone.mp4", 0)] }, due - 1)), [], "not before the limit");
  t.equal(of([], { entries: [entry("gone.mp4", 0)] }, due - 1).nextLookAtMs, due);
  t.same(kinds(of([], { entries: [entry("gone.mp4", 0)] }, due)), ["never-arrived"]);
});

t.test("the same facts in another order give the same, and nothing throws", async (t) => {
  const anyClip = fc
    .record({
      seconds: fc.integer({ min: -2000, max: 2000 }),
      sequence: fc.option(fc.nat(12), { nil: undefined }),
      durationSeconds: fc.option(fc.integer({ min: 0, max: 700 }), { nil: undefined }),
      zone: fc.constantFrom(undefined, "+08:00", "Asia/Shanghai", "Europe/Berlin"),
      raw: fc.option(fc.constantFrom("1970-01-01 00:00:00", "never", "2026-10-25 02:30:00"), { nil: undefined }),
      receivedAtMs: fc.integer({ min: noon, max: noon + 5 }),
      clockOffsetMs: fc.option(fc.integer({ min: -100_000, max: 100_000 }), { nil: undefined }),
      kind: fc.constantFrom("video", "photo", "other"),
    })
    .map(({ seconds, zone, raw, ...rest }) => ({
      seconds,
      ...rest,
      capturedAtZone: zone,
      ...(raw === undefined ? {} : { capturedAtRaw: raw }),
    }));
  fc.assert(
    fc.property(
      fc.array(anyClip, { maxLength: 12 }),
      fc.array(fc.integer(), { minLength: 12, maxLength: 12 }),
      (made, keys) => {
        const clips = made.map(({ seconds, ...rest }, index) => clip(`c${index}`, seconds, rest));
        const entries = made.map(({ seconds }, index) => entry(`c${index}.mp4`, seconds, { sizeBytes: index }));
        const mixed = <T>(list: T[]) =>
          list
            .map((one, index) => ({ one, key: keys[index] ?? 0 }))
            .sort((a, b) => a.key - b.key)
            .map(({ one }) => one);
        const [one, two] = [of(clips, { entries }), of(mixed(clips), { entries: mixed(entries) })];
        t.same(two, one);
        const segments = one.recordings.flatMap((recording) => recording.segments.map(({ clip: { id } }) => id));
        if (new Set(segments).size !== segments.length) throw new Error("a clip is in two recordings");
        if (one.recordings.some(({ id, segments }) => !segments.some(({ clip }) => clip.id === id)))
          throw new Error("an id of no segment");
        const subjects = one.findings.map(({ kind, subject }) => `${kind} ${subject}`);
        if (new Set(subjects).size !== subjects.length) throw new Error(`found twice: ${subjects.join(", ")}`);
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});
