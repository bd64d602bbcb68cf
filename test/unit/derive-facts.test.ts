import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { kindOf } from "#ingest";
import { factsFrom } from "../../src/derive/probe.ts";
import { structureOf } from "../../src/derive/structure.ts";
import { PeakGatherer } from "../../src/derive/waveform.ts";
import { scratch } from "../support/derive-media.ts";

const latin1 = (text: string) => Buffer.from(text, "latin1");

t.test("a file is what its bytes say, whatever it is called", async (t) => {
  const packets = Buffer.alloc(188 * 4);
  for (let n = 0; n < 4; n++) packets[n * 188] = 0x47;
  const cases: [Buffer, string, string, string | undefined][] = [
    [latin1("\0\0\0\x18ftypisom\0\0\0\0"), "video", "video/mp4", "mov"],
    [latin1("\0\0\0\x14ftypqt  "), "video", "video/quicktime", "mov"],
    [latin1("\0\0\0\x14ftypM4A "), "audio", "audio/mp4", "mov"],
    [latin1("\0\0\0\x14ftypheic"), "photo", "image/heif", undefined],
    [latin1("\0\0\0\x08wide\0\0\0\0mdat"), "video", "video/quicktime", "mov"],
    [latin1("RIFF\0\0\0\0AVI LIST"), "video", "video/vnd.avi", "avi"],
    [latin1("RIFF\0\0\0\0WAVEfmt "), "audio", "audio/wav", "wav"],
    [latin1("\0\0\x01\xba\x44\0\x04"), "video", "video/mpeg", "mpeg"],
    [latin1("IMKH\x01\x01\0\0"), "video", "video/mpeg", "mpeg"],
    [packets, "video", "video/mp2t", "mpegts"],
    [latin1("#!AMR\n\x3c"), "audio", "audio/amr", "amr"],
    [latin1("\xff\xd8\xff\xe0"), "photo", "image/jpeg", "jpeg_pipe"],
    [latin1("%PDF-1.7\n%\xe2\xe3\xcf\xd3"), "text", "application/pdf", undefined],
    [latin1("PK\x03\x04\x14\0\0\0\0\0"), "other", "application/zip", undefined],
    [Buffer.from("询问笔录：2026年11月21日"), "text", "text/plain", undefined],
    [Buffer.from("d1afceca", "hex"), "text", "text/plain", undefined],
    [latin1("#EXTM3U\nhttp://127.0.0.1/a.ts\n"), "text", "text/plain", undefined],
    [latin1("ffconcat version 1.0\nfile /etc/passwd\n"), "text", "text/plain", undefined],
    [Buffer.alloc(4096), "other", "application/octet-stream", undefined],
    [Buffer.alloc(0), "other", "application/octet-stream", undefined],
  ];
  for (const [bytes, kind, mediaType, container] of cases) {
    for (const name of ["clip.mp4", "clip.txt", "clip"]) {
      const seen = await kindOf(bytes, name);
      t.same([seen.kind, seen.mediaType, seen.container], [kind, mediaType, container], `${mediaType} as ${name}`);
    }
  }
  t.equal((await kindOf(latin1("a,b\n1,2\n"), "list.CSV")).mediaType, "text/csv", "a name chooses between texts");
  t.equal((await kindOf(latin1("\xff\xd8\xff\xe0"), "photo.csv")).mediaType, "image/jpeg", "and between nothing else");
});

t.test("a broken outer structure is named, with the place", async (t) => {
  const dir = await scratch(t);
  const box = (type: string, payload: Buffer, size = payload.length + 8) => {
    const header = Buffer.alloc(8);
    header.writeUInt32BE(size);
    header.write(type, 4, "latin1");
    return Buffer.concat([header, payload]);
  };
  const riff = (declared: number, actual: number) => {
    const header = latin1("RIFF\0\0\0\0AVI ");
    header.writeUInt32LE(declared, 4);
    return Buffer.concat([header, Buffer.alloc(actual, 1)]);
  };
  const ftyp = box("ftyp", latin1("isom"));
  const moov = box("moov", Buffer.alloc(20, 1));
  const defectsOf = async (bytes: Buffer, container: Parameters<typeof structureOf>[1]) => {
    const path = join(dir, "file");
    await writeFile(path, bytes);
    return (await structureOf(path, container)).defects;
  };
  t.same(await defectsOf(Buffer.concat([ftyp, box("mdat", Buffer.alloc(50, 1)), moov]), "mov"), []);
  t.same(await defectsOf(Buffer.concat([ftyp, box("mdat", Buffer.alloc(50, 1), 100)]), "mov"), [
    "no-moov",
    "truncated: box mdat wants 42 bytes more",
  ]);
  t.same(await defectsOf(Buffer.concat([ftyp, moov, box("mdat", Buffer.alloc(50, 1), 100)]), "mov"), [
    "truncated: box mdat wants 42 bytes more",
  ]);
  t.same(await defectsOf(Buffer.concat([ftyp, box("mdat", Buffer.alloc(50, 1), 0)]), "mov"), ["no-moov"]);
  t.same(await defectsOf(Buffer.concat([ftyp, moov, box("mdat", Buffer.alloc(5, 1), 3)]), "mov"), [
    `malformed: box at byte ${ftyp.length + moov.length}`,
  ]);
  t.same(await defectsOf(riff(104, 100), "avi"), []);
  t.same(await defectsOf(riff(1004, 100), "avi"), ["truncated: the RIFF chunk wants 900 bytes more"]);
  t.same(await defectsOf(riff(0, 100), "avi"), ["unfinished: the recorder never wrote the length"]);
  t.same(await defectsOf(Buffer.alloc(188 * 3 + 5, 1), "mpegts"), ["truncated: the file ends inside a packet"]);
  const reserved = Buffer.concat([ftyp, moov, Buffer.alloc(3 * 1024 * 1024)]);
  const from = ftyp.length + moov.length;
  t.same(await defectsOf(reserved, "mov"), [`zero-tail: bytes ${from}-${reserved.length - 1}`]);
  t.same(
    await defectsOf(Buffer.concat([latin1("RIFF"), Buffer.alloc(200_000)]), "wav"),
    ["unfinished: the recorder never wrote the length"],
    "digital silence is no defect",
  );
});

t.test("capture times stand beside their raw strings, with how far they can be believed", async (t) => {
  const { captureTimes } = factsFrom(
    {
      format: {
        tags: {
          creation_time: "2026-11-21T09:30:00.000000Z",
          "com.apple.quicktime.creationdate": "2026-11-21T17:30:00+0800",
          title: "2026-11-21T09:30:00Z",
        },
      },
      streams: [{ index: 0, codec_type: "video", tags: { creation_time: "2026-11-21 09:30:00" } }],
      frames: [{ tags: { DateTimeOriginal: "2026:11:21 09:30:00" } }],
    },
    "mov",
  );
  t.same(captureTimes, [
    {
      ...{ raw: "2026-11-21T09:30:00.000000Z", source: "quicktime:creation_time" },
      ...{ normalized: "2026-11-21T09:30:00.000Z", certainty: "utc-claimed" },
    },
    {
      ...{ raw: "2026-11-21T17:30:00+0800", source: "format.tags.com.apple.quicktime.creationdate" },
      ...{ normalized: "2026-11-21T09:30:00.000Z", certainty: "zoned" },
    },
    { raw: "2026-11-21 09:30:00", source: "streams[0].tags.creation_time", certainty: "unknown" },
    { raw: "2026:11:21 09:30:00", source: "exif:DateTimeOriginal", certainty: "unknown" },
  ]);
});

t.test("a hostile description cannot grow without bound, nor carry what a database refuses", async (t) => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`tag${n}`, "\ud83d\ude00".repeat(5000)]));
  const facts = factsFrom({ format: { duration: "N/A", tags: { nul: "a\0b", ...many } }, streams: [] }, "mov");
  t.equal(facts.tags["nul"], "a\ufffdb");
  t.equal(Object.keys(facts.tags).length, 100);
  t.ok(Object.values(facts.tags).every((value) => value.length <= 1000 && value.isWellFormed()));
  t.equal(facts.durationSeconds, undefined);
});

t.test("facts name units and leave out what is not known", async (t) => {
  const facts = factsFrom(
    {
      format: { duration: "2.000000", bit_rate: "300000" },
      streams: [
        {
          ...{ index: 0, codec_type: "video", codec_name: "h264", profile: "High", level: 12, pix_fmt: "yuv420p" },
          ...{ width: 320, height: 180, avg_frame_rate: "30000/1001", nb_frames: "60", duration: "2.0" },
          side_data_list: [{ rotation: -90 }],
        },
        { index: 1, codec_type: "audio", codec_name: "pcm_alaw", channels: 1, sample_rate: "8000" },
        { index: 2, codec_type: "data", level: -99, avg_frame_rate: "0/0" },
      ],
    },
    "mov",
  );
  t.strictSame(facts, {
    ...{ container: "mov", durationSeconds: 2, bitRate: 300_000, tags: {}, captureTimes: [] },
    streams: [
      {
        ...{ index: 0, type: "video", codec: "h264", profile: "High", level: 12, pixelFormat: "yuv420p", width: 320 },
        ...{ height: 180, frameRate: 29.97, rotation: 90, durationSeconds: 2, packets: 60 },
      },
      { index: 1, type: "audio", codec: "pcm_alaw", channels: 1, sampleRate: 8000 },
      { index: 2, type: "data", codec: "unknown" },
    ],
  });
});

t.test(
  "peaks are the lowest and highest of each stretch, however the bytes are cut and however long it is",
  async (t) => {
    const samples = 100_000;
    const bytes = Buffer.alloc(samples * 2);
    for (let n = 0; n < samples; n++)
      bytes.writeInt16LE(n === 70_000 ? -32_768 : n === 30_000 ? 32_767 : (n % 50) * 256, n * 2);
    const gatherer = new PeakGatherer();
    for (let offset = 0; offset < bytes.length; offset += 4097) gatherer.take(bytes.subarray(offset, offset + 4097));
    const waveform = gatherer.result(8000);
    t.equal(gatherer.samples, samples);
    t.match(waveform, { version: 2, channels: 1, sample_rate: 8000, bits: 8 });
    t.ok(waveform.length <= 1024 && waveform.length > 500);
    t.equal(waveform.data.length, 2 * waveform.length);
    t.equal(waveform.length, Math.ceil(samples / waveform.samples_per_pixel));
    const stretch = (n: number) => Math.floor(n / waveform.samples_per_pixel);
    t.equal(waveform.data[2 * stretch(70_000)], -128);
    t.equal(waveform.data[2 * stretch(30_000) + 1], 127);
    t.equal(waveform.data.filter((value) => value === -128).length, 1);
    t.equal(waveform.data[0], 0);
    t.equal(waveform.data[1], 49);
    t.match(new PeakGatherer().result(8000), { length: 0, data: [] });
  },
);
