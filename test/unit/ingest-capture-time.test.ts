import fc from "fast-check";
import t from "tap";
import { capturedInstant } from "#metadata";

const known: [raw: string, zone: string | undefined, instant: string][] = [
  ["2026-11-21 09:30:00", "+08:00", "2026-11-21T01:30:00.000Z"],
  ["2026-11-21 09:30:00", "Asia/Shanghai", "2026-11-21T01:30:00.000Z"],
  ["20261121093000", "Asia/Shanghai", "2026-11-21T01:30:00.000Z"],
  ["20261121093000123", "Asia/Shanghai", "2026-11-21T01:30:00.123Z"],
  ["20261121_093000", "+0800", "2026-11-21T01:30:00.000Z"],
  ["  2026-11-21 09:30:00  ", "Z", "2026-11-21T09:30:00.000Z"],
  ["2026-11-21T09:30:00Z", undefined, "2026-11-21T09:30:00.000Z"],
  ["2026-11-21T09:30:00Z", "+08:00", "2026-11-21T09:30:00.000Z"],
  ["2026-11-21T09:30:00.5+08:00", undefined, "2026-11-21T01:30:00.500Z"],
  ["2026-11-21T09:30:00.123456-0330", "Asia/Shanghai", "2026-11-21T13:00:00.123Z"],
  ["2026-11-21 09:30:00", "Asia/Kolkata", "2026-11-21T04:00:00.000Z"],
  ["2026-11-21 09:30:00", "Asia/Kathmandu", "2026-11-21T03:45:00.000Z"],
  ["2026-11-21 09:30:00", "UTC", "2026-11-21T09:30:00.000Z"],
  ["2024-02-29 12:00:00", "Z", "2024-02-29T12:00:00.000Z"],
  // Around changes of clocks: what the clock showed once is known.
  ["2026-03-29 01:59:59", "Europe/Berlin", "2026-03-29T00:59:59.000Z"],
  ["2026-03-29 03:00:00", "Europe/Berlin", "2026-03-29T01:00:00.000Z"],
  ["2026-10-25 01:59:59", "Europe/Berlin", "2026-10-24T23:59:59.000Z"],
  ["2026-10-25 03:00:00", "Europe/Berlin", "2026-10-25T02:00:00.000Z"],
  ["2026-03-08 03:00:00", "America/New_York", "2026-03-08T07:00:00.000Z"],
  ["2026-11-01 00:59:59", "America/New_York", "2026-11-01T04:59:59.000Z"],
  ["2026-04-05 03:00:00", "Australia/Lord_Howe", "2026-04-04T16:30:00.000Z"],
];

const unknown: [raw: string, zone: string | undefined, why: string][] = [
  ["2026-11-21 09:30:00", undefined, "no zone"],
  ["20261121093000", undefined, "no zone"],
  ["2026-02-29 12:00:00", "Z", "2026 is no leap year"],
  ["2026-04-31 12:00:00", "Z", "no such day"],
  ["2026-13-01 12:00:00", "Z", "no such month"],
  ["2026-00-00 00:00:00", "Z", "a recorder without a date"],
  ["2026-11-21 24:00:00", "Z", "no such hour"],
  ["2026-11-21 23:60:00", "Z", "no such minute"],
  ["2026-11-21 23:59:60", "Z", "leap seconds are not told apart"],
  ["2026-03-29 02:30:00", "Europe/Berlin", "the clocks left it out"],
  ["2026-10-25 02:30:00", "Europe/Berlin", "the clocks showed it twice"],
  ["2026-03-08 02:00:00", "America/New_York", "the clocks left it out"],
  ["2026-11-01 01:30:00", "America/New_York", "the clocks showed it twice"],
  ["2026-04-05 01:45:00", "Australia/Lord_Howe", "half an hour twice"],
  ["2011-12-30 12:00:00", "Pacific/Apia", "the day that Samoa left out"],
  ["2026-11-21 09:30:00", "Mars/Phobos", "no such zone"],
  ["2026-11-21 09:30:00", "+99:99", "no such offset"],
  ["2026-11-21 09:30:00", "+24:00", "no such offset"],
  ["2026-11-21 09:30:00", "+08:60", "no such offset"],
  ["2026-11-21 09:30:00+99:00", "+08:00", "no such offset"],
  ["0001-01-01 00:00:00", "+08:00", "before the year 1"],
  ["0000-06-01 00:00:00", "Z", "the year 0"],
  ["9999-12-31 23:59:59", "-08:00", "after the year 9999"],
  ["昨天上午", "Asia/Shanghai", "no form that is known"],
  ["2026-11-21", "Z", "a day only"],
  ["", "Z", "nothing"],
];

t.test("the instant that a recorder meant is told where it can be told", async (t) => {
  for (const [raw, zone, instant] of known) t.equal(capturedInstant(raw, zone), instant, `${raw} ${zone}`);
});

t.test("and stays unknown where it would be a guess", async (t) => {
  for (const [raw, zone, why] of unknown) t.equal(capturedInstant(raw, zone), undefined, `${raw} ${zone}: ${why}`);
});

t.test("an instant that is told shows as that wall time in its zone", async () => {
  const zones = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu", "UTC"];
  fc.assert(
    fc.property(
      fc.date({ min: new Date("1992-01-01"), max: new Date("2100-01-01"), noInvalidDate: true }),
      fc.constantFrom(...zones),
      (date, timeZone) => {
        const raw = `${date.toISOString().slice(0, 19).replace("T", " ")}`;
        const told = capturedInstant(raw, timeZone);
        if (told === undefined) return;
        const shown = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
        if (shown.format(new Date(told)) !== raw) throw new Error(`${raw} ${timeZone} → ${told}`);
      },
    ),
    { numRuns: 500 },
  );
});

t.test("whatever a recorder says is either unknown or RFC 3339 of a year that a database can hold", async () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d([+-]\d\d:\d\d)?$/)),
      fc.option(fc.constantFrom("Z", "+14:00", "-12:00", "Asia/Shanghai", "+99:99"), { nil: undefined }),
      (raw, zone) => {
        const told = capturedInstant(raw, zone);
        return told === undefined || /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(told);
      },
    ),
    { numRuns: 500 },
  );
});
