import t from "tap";
import { momentIn, momentOfLink, momentText } from "../../src/console/clip/moment.ts";

t.test("a time that somebody writes is a position, or else a time of the day", async (t) => {
  // 09:30:00 in China, an hour long.
  const recording = { lengthSeconds: 3600, beganAtMs: Date.parse("2026-11-21T01:30:00Z") };
  const cases: [text: string, seconds: number | undefined][] = [
    ["0", 0],
    ["83.4", 83.4],
    [" 1:23.4 ", 83.4],
    ["１：２３．４", 83.4],
    ["01:00:00", 3600],
    ["0:59:59.999", 3599.999],
    ["90", 90],
    ["60:01", undefined],
    ["09:31:07", 67],
    ["09:30:00", 0],
    ["10:30:00", 3600],
    ["10:30:01", undefined],
    ["09:29:59", undefined],
    ["24:00:01", undefined],
    ["1:60", undefined],
    ["1:60:00", undefined],
    ["-5", undefined],
    ["1e3", undefined],
    ["5:", undefined],
    ["", undefined],
    ["九点", undefined],
  ];
  for (const [text, seconds] of cases) t.equal(momentIn(text, recording), seconds, JSON.stringify(text));
  t.equal(momentIn("09:31:07", { ...recording, beganAtMs: undefined }), undefined, "of no day");
  const night = { lengthSeconds: 600, beganAtMs: Date.parse("2026-11-21T15:58:00Z") };
  t.equal(momentIn("00:03:00", night), 180, "what can be read both ways is a position");
  t.equal(momentIn("00:07:59", { ...night, lengthSeconds: 300 }), undefined);
  const evening = { lengthSeconds: 180, beganAtMs: Date.parse("2026-11-21T15:58:30Z") };
  t.equal(momentIn("23:59:00", evening), 30);
  t.equal(momentIn("00:01:00", evening), 60, "a position again");
});

t.test("a moment in a link lies in the frame that was seen, never before it", async (t) => {
  for (const frame of [1, 2, 7, 100, 8999]) {
    for (const rate of [24, 25, 29.97, 30, 50, 60]) {
      const begins = frame / rate;
      const linked = Number(momentOfLink(begins));
      t.ok(linked >= begins - 1e-6 && linked < (frame + 1) / rate, `frame ${frame} at ${rate} a second`);
    }
  }
  t.equal(momentOfLink(83.48), "83.480");
  t.equal(momentText(83.48), "01:23.48");
  t.equal(momentText(3723.999), "1:02:03.99");
});
