import t from "tap";
import { factsOfFileName } from "../../src/station/file-names/index.ts";

t.test("a file number says recorder, time, kind, mark and sequence", async (t) => {
  const name = "37150201_00000000000AB1234567202611210930000001202611211830000042.mp4";
  t.strictSame(factsOfFileName(name), {
    recorderSerial: "00000000000AB1234567",
    capturedAt: "20261121093000",
    kind: "video",
    important: true,
    sequence: 42,
  });
  t.match(factsOfFileName(name.replace("0001202611", "0200202611")), { kind: "photo", important: false });
  t.match(
    factsOfFileName(name.replace("0001202611", "7700202611")),
    { kind: "video" },
    "an unknown type: by extension",
  );
});

t.test("a name that is a time says that time", async (t) => {
  t.strictSame(factsOfFileName("20261121093000123.mp4"), { capturedAt: "20261121093000123", kind: "video" });
  t.strictSame(factsOfFileName("20261121093000123.xyz"), { capturedAt: "20261121093000123" });
});

t.test("the recorder app's names say camera, officer, time, mark and kind", async (t) => {
  t.strictSame(factsOfFileName("DCAM_C01_371501_20261121_093000_IMP.mp4"), {
    recorderSerial: "C01",
    collectorNumber: "371501",
    capturedAt: "20261121_093000",
    important: true,
    kind: "video",
  });
  t.match(factsOfFileName("DCAM_C01_371501_20261121_093000.m4a"), { important: false, kind: "audio" });
});

t.test("what is no such name, or no such time, says nothing", async (t) => {
  for (const name of [
    "clip.mp4",
    "20261321093000123.mp4",
    "2026112109300012.mp4",
    "DCAM_C01_371501_20260230_093000.mp4",
    "DCAM_C01_371501_20261121_093000.exe",
    "37150201_00000000000AB1234567202613210930000001202611211830000042.mp4",
    "20261121093000123.mp4/../../etc",
  ]) {
    t.strictSame(factsOfFileName(name), {}, name);
  }
});
