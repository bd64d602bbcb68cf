import t from "tap";
import { bestOffset, recorderOffset } from "../../src/station/clock.ts";
import { backOffMs, retryAfterSeconds, Unavailable } from "../../src/station/server.ts";

const sentAt = Date.parse("2026-11-21T09:30:00Z");

t.test("the shortest round trip tells the server's clock, to half of it", async (t) => {
  const offset = bestOffset([
    { sentAt, roundTripMs: 900, serverMs: sentAt + 5800, resolutionMs: 1 },
    { sentAt, roundTripMs: 20, serverMs: sentAt + 5010, resolutionMs: 1 },
    { sentAt, roundTripMs: 300, serverMs: sentAt + 5290, resolutionMs: 1 },
  ]);
  t.ok(Math.abs(offset.offsetMs - 5000) <= offset.uncertaintyMs, `${offset.offsetMs} ± ${offset.uncertaintyMs}`);
  t.ok(offset.uncertaintyMs >= 10 && offset.uncertaintyMs <= 12);
});

t.test(
  "the true offset lies within the uncertainty, wherever in the round trip the server read its clock",
  async (t) => {
    for (const resolutionMs of [1, 1000]) {
      for (const roundTripMs of [0.4, 7, 250, 4000]) {
        for (const share of [0, 0.3, 1]) {
          for (const truth of [-3_600_000, 0, 123.4, 999.9]) {
            const serverMs = Math.floor((sentAt + roundTripMs * share + truth) / resolutionMs) * resolutionMs;
            const { offsetMs, uncertaintyMs } = bestOffset([{ sentAt, roundTripMs, serverMs, resolutionMs }]);
            t.ok(Math.abs(offsetMs - truth) <= uncertaintyMs, `${truth}: ${offsetMs} ± ${uncertaintyMs}`);
          }
        }
      }
    }
  },
);

t.test("the recorder's clock is told against the server's, with both uncertainties", async (t) => {
  const clock = { shows: "2026-11-21T17:31:00+08:00", at: "2026-11-21T09:30:00.500Z" };
  t.strictSame(recorderOffset(clock, { offsetMs: 10_000, uncertaintyMs: 20 }), {
    offsetMs: 50_000,
    uncertaintyMs: 520,
  });
  t.strictSame(recorderOffset(clock, undefined), { offsetMs: 60_000, uncertaintyMs: 500 });
});

t.test("pauses double, are jittered and bounded, and are never shorter than the server asked for", async (t) => {
  t.equal(backOffMs(1, new Error("line"), 0), 500);
  t.equal(backOffMs(3, new Error("line"), 1), 4000);
  t.equal(backOffMs(60, new Error("line"), 1), 30_000);
  t.equal(backOffMs(1, new Unavailable("busy", 45), 0), 45_000);
  const answer = (value: string) => ({ status: 503, text: "", headers: { "retry-after": value } });
  t.equal(retryAfterSeconds(answer("7")), 7);
  t.equal(retryAfterSeconds(answer("Sat, 21 Nov 2026 09:30:12 GMT"), sentAt), 12);
  t.equal(retryAfterSeconds(answer("Sat, 21 Nov 2020 09:30:12 GMT"), sentAt), 0);
  t.equal(retryAfterSeconds(answer("soon")), 0);
  t.equal(retryAfterSeconds(answer("86400")), 300, "a server cannot keep a station away for a day");
});
