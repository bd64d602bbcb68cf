import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { curl, someMetadata } from "../support/curl.ts";
import { refusedWith, Traces } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";

const half = "\\ud800";
const nul = "\\u0000";

/** The JSON of the metadata with one member put in or replaced, as text: escapes go over the line as they stand here. */
function withMember(name: string, json: string): string {
  const rest = Object.entries(someMetadata).filter(([key]) => key !== name);
  const members = rest.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{${[...members, `${JSON.stringify(name)}:${json}`].join(",")}}`;
}

const malformed: [field: string, json: string, at?: string][] = [
  ["recorderSerial", '""'],
  ["recorderSerial", '"REC 1"'],
  ["recorderSerial", '"执法仪"'],
  ["recorderSerial", JSON.stringify("x".repeat(65))],
  ["recorderSerial", "7"],
  ["recorderSerial", "null"],
  ["collectorNumber", '"a\\tb"'],
  ["collectorNumber", "[]"],
  ["fileName", '"../../etc/passwd"'],
  ["fileName", '"a\\\\b.mp4"'],
  ["fileName", `"a${nul}b"`],
  ["fileName", `"${half}"`],
  ["fileName", '"a\\nb"'],
  ["fileName", '"a\\u007fb"'],
  ["fileName", JSON.stringify("长".repeat(256))],
  ["sizeBytes", "-1"],
  ["sizeBytes", "1.5"],
  ["sizeBytes", '"100"'],
  ["sizeBytes", "9007199254740993"],
  ["capturedAt", '""'],
  ["capturedAt", "1763694600"],
  ["capturedAt", `"2026${nul}"`],
  ["capturedAtSource", '"guess"'],
  ["capturedAtZone", '"+8"'],
  ["capturedAtZone", '"+08:00 "'],
  ["capturedAtZone", '"Asia/Shang hai"'],
  ["capturedAtZone", '"../zone"'],
  ["durationSeconds", "-0.5"],
  ["durationSeconds", "1e400"],
  ["durationSeconds", '"5"'],
  ["kind", '"movie"'],
  ["important", '"yes"'],
  ["important", "1"],
  ["sequence", "2147483648"],
  ["clockOffsetMs", "0.5"],
  ["interruptionReason", '"a\\u0001"'],
  ["place", '"here"'],
  ["place", '{"lat":90.1}', "place.lat"],
  ["place", '{"lon":-181}', "place.lon"],
  ["place", `{"text":"${half}"}`, "place.text"],
  ["caseNumber", '""'],
  ["caseNumber", JSON.stringify("x".repeat(101))],
  ["evidencePurpose", `"${nul}"`],
  ["stage", `"a${half}b"`],
  ["digest", '"abc"'],
  ["digest", '{"sha256":"abc"}', "digest.sha256"],
  ["digest", JSON.stringify({ sha256: "A".repeat(64) }), "digest.sha256"],
  ["digest", JSON.stringify({ sm3: "g".repeat(64) }), "digest.sm3"],
];

const unknown: [field: string, json: string, at?: string][] = [
  ["colour", '"red"'],
  ["RecorderSerial", '"R"'],
  ["__proto__", '{"kind":"video"}'],
  ["constructor", "{}"],
  ["place", '{"altitude":3}', "place.altitude"],
  ["digest", '{"md5":"d41d8cd98f00b204e9800998ecf8427e"}', "digest.md5"],
];

const wholes: [what: string, json: string][] = [
  ["an array", "[]"],
  ["a string", '"recorderSerial"'],
  ["null", "null"],
  ["a number", "5"],
  ["an empty object", "{}"],
  ["deep nesting", `${"[".repeat(20_000)}${"]".repeat(20_000)}`],
];

t.test("metadata is taken as the schema says or refused with the field's name, and nothing is kept", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const traces = await Traces.of(t, stack);
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, "bytes");
  const send = async (json: string) => {
    const path = join(stack.directory, "metadata.json");
    await writeFile(path, json);
    const form = ["-F", `metadata=<${path}`, "-F", `file=@${file}`];
    return curl("-H", `authorization: Bearer ${stack.party.token}`, ...form, `${stack.url}/api/v1/clips`);
  };
  const before = await traces.kept();
  for (const [field, json, at] of malformed) {
    const what = `${field} ${json.slice(0, 40)}`;
    const problem = refusedWith(t, await send(withMember(field, json)), 400, "malformed-field", what);
    t.ok(
      problem.errors?.some((error) => error.field === (at ?? field)),
      `${what}: the field is named: ${JSON.stringify(problem.errors)}`,
    );
  }
  for (const [field, json, at] of unknown) {
    const problem = refusedWith(t, await send(withMember(field, json)), 400, "unknown-field", `${field} ${json}`);
    t.same(
      problem.errors?.map((error) => error.field),
      [at ?? field],
      "the field is named",
    );
  }
  for (const [what, json] of wholes) refusedWith(t, await send(json), 400, "malformed-field", what);
  for (const field of Object.keys(someMetadata)) {
    const without = Object.fromEntries(Object.entries(someMetadata).filter(([key]) => key !== field));
    const problem = refusedWith(t, await send(JSON.stringify(without)), 400, "malformed-field", `without ${field}`);
    t.match(problem.detail, field, "the missing field is named");
  }
  await traces.nothingLeft(t, before, "malformed and unknown fields");

  const dead: [raw: string, zone: string][] = [
    ["0000-01-01 00:00:00", "Asia/Shanghai"],
    ["0001-01-01 00:00:00", "+08:00"],
    ["9999-12-31 23:59:59", "-08:00"],
    ["2026-02-30 10:00:00", "+08:00"],
    ["2026-11-21 09:30:00", "+99:99"],
    ["2026-11-21 09:30:00", "Mars/Phobos"],
    ["昨天上午", "Asia/Shanghai"],
  ];
  for (const [number, [raw, zone]] of dead.entries()) {
    const answer = await send(
      JSON.stringify({
        ...someMetadata,
        capturedAt: raw,
        capturedAtZone: zone,
        recorderSerial: `DEAD-${number}`,
      }),
    );
    t.equal(answer.status, 201, `${raw} ${zone}: a clock that went wrong is no reason to lose footage ${answer.body}`);
    t.match(answer.json(), { capturedAtRaw: raw, capturedAt: null }, "the raw string stays, the instant is unknown");
  }
  const whole = {
    ...someMetadata,
    recorderSerial: "WHOLE-1",
    fileName: "😀 执法 'x' \"y\".mp4",
    capturedAtZone: "Asia/Shanghai",
    capturedAtSource: "recorder",
    durationSeconds: 12.5,
    kind: "video",
    important: true,
    sequence: 7,
    clockOffsetMs: -1500,
    interruptionReason: "更换电池",
    place: { text: "人民路1号", lat: 36.2, lon: 115.9 },
    caseNumber: "测试〔2026〕1号",
    evidencePurpose: "证明现场情况",
    stage: "检查",
  };
  const answer = await send(JSON.stringify(whole));
  t.match(
    answer.json(),
    { fileName: whole.fileName, capturedAt: "2026-11-21T01:30:00Z", important: true, kind: "video", stage: "检查" },
    "every known field is taken",
  );
});
