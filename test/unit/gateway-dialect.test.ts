import fc from "fast-check";
import t from "tap";
import { metadataOf, readFileRecord, wallTime } from "#gateway";
import { isProblem } from "#kernel";
import { checkedAddresses, isAmong } from "../../src/gateway/addresses.ts";
import { checkedZone } from "../../src/gateway/zone.ts";

const station = "37150000901280000001";
const recorder = "37150000901510000007";
const record = {
  wjbh: `37150000_${recorder}20261121093000000120261121181500${"0042"}`,
  wjbm: "20261121093000123.mp4",
  pssj: "2026-11-21 09:30:00",
  scsj: "2026-11-21 18:15:00",
  wjdx: 1048576,
  wjsc: 900,
  wjlx: "0",
  bzlx: "1",
  jgdm: "371500",
  dwmc: "某大队",
  jybh: "371501",
  jy_xm: "",
  cpxh: recorder,
  gzz_xh: station,
  ccwz: "\\Workstation\\1.mp4",
  wlwz: "D:\\Workstation\\1.mp4",
  bfwz: "",
  sltxdwz: "",
};

t.test("a file record becomes the metadata of an upload", async (t) => {
  t.same(metadataOf(readFileRecord(record, station), "Asia/Shanghai"), {
    recorderSerial: recorder,
    collectorNumber: "371501",
    fileName: "20261121093000123.mp4",
    sizeBytes: 1048576,
    capturedAt: "2026-11-21 09:30:00",
    capturedAtZone: "Asia/Shanghai",
    durationSeconds: 900,
    kind: "video",
    important: true,
    sequence: 42,
  });
  const texts = { ...record, wjdx: "1048576", wjsc: "900", wjlx: 0, bzlx: 1 };
  t.same(metadataOf(readFileRecord(texts, station), "+08:00"), {
    ...metadataOf(readFileRecord(record, station), "+08:00"),
  });
  const kinds = [0, 1, 2, 3, 4, 7, ""].map((wjlx) => readFileRecord({ ...record, wjlx }, station).kind);
  t.same(kinds, ["video", "audio", "photo", "text", "other", "other", "other"]);
});

t.test("what is not said is not made up, and what is not known is kept", async (t) => {
  const { wjbm: _name, wjsc: _seconds, bzlx: _mark, ...bare } = record;
  const read = readFileRecord({ ...bare, wjbh: "A-1", ccfwq: "10.0.0.9" }, station);
  t.match(read, { fileName: "A-1", durationSeconds: undefined, important: false, sequence: undefined });
  t.same(read.verbatim, { ...bare, wjbh: "A-1", ccfwq: "10.0.0.9" }, "a field of no list stays in the record");
});

t.test("a record that says what cannot be is refused, and the field is named", async (t) => {
  const wrong: Record<string, unknown>[] = [
    { wjbh: "a/b" },
    { wjbh: "" },
    { wjbm: "..\\x.mp4" },
    { pssj: "" },
    { wjdx: -1 },
    { wjdx: "1.5" },
    { wjdx: undefined },
    { wjsc: "x" },
    { jybh: "" },
    { cpxh: "has blank" },
    { gzz_xh: "1" },
  ];
  for (const change of wrong) {
    const field = Object.keys(change)[0] ?? "";
    const { [field]: _gone, ...rest } = record as Record<string, unknown>;
    const value = change[field] === undefined ? rest : { ...rest, ...change };
    t.throws(
      () => readFileRecord(value, station),
      { code: "malformed-field", message: new RegExp(field) },
      `${field} ${String(change[field])}`,
    );
  }
  t.throws(() => readFileRecord({ ...record, dwmc: "x".repeat(20_000) }, station), { code: "body-too-large" });
  t.throws(() => readFileRecord({ ...record, dwmc: "\u0000" }, station), { code: "malformed-field" });
});

t.test("whatever JSON comes as a record is read, or refused with a reason", async () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.jsonValue(),
        fc.record({ ...Object.fromEntries(Object.keys(record).map((name) => [name, fc.jsonValue()])) }),
      ),
      (value) => {
        try {
          readFileRecord(value, station);
          return true;
        } catch (error) {
          return isProblem(error) && error.status < 500;
        }
      },
    ),
    { numRuns: 300 },
  );
});

t.test("a source address is one of the list or in a network of it", async (t) => {
  const list = checkedAddresses(["192.0.2.7", "10.3.0.0/24", "2001:db8::/48"]);
  for (const inside of ["192.0.2.7", "::ffff:192.0.2.7", "10.3.0.255", "2001:db8::1"])
    t.ok(isAmong(inside, list), inside);
  for (const outside of ["192.0.2.8", "10.3.1.0", "2001:db8:1::1", "::1", "", "10.3.0.1, 192.0.2.7"])
    t.notOk(isAmong(outside, list), `not ${outside}`);
  for (const bad of ["0.0.0.0/0", "::/0", "10.3.0.0/33", "10.3.0", "host", "10.3.0.0/", "1.2.3.4/5/6x"])
    t.throws(() => checkedAddresses([bad]), { code: "malformed-field" }, bad);
});

t.test("times are told on the station's clock", async (t) => {
  const instant = new Date("2026-12-31T16:00:00Z");
  t.equal(wallTime(instant, "Asia/Shanghai"), "2027-01-01 00:00:00");
  t.equal(wallTime(instant, "+08:00"), "2027-01-01 00:00:00");
  for (const zone of ["Asia/Shanghai", "+08:00"]) t.equal(checkedZone(zone), zone);
  for (const zone of ["Mars/Base", "8", ""]) t.throws(() => checkedZone(zone), { code: "malformed-field" }, zone);
});
