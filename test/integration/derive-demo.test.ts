import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import t from "tap";
import { deriveMedia, mediaSettings, probeSandbox } from "#derive";
import { parseMetadata } from "#metadata";
import { makeDemoMedia } from "../../src/cli/demo-media.ts";
import { demoRecordings } from "../../src/cli/demo-recordings.ts";
import { demoTimes } from "../../src/cli/demo-times.ts";
import { scratch } from "../support/derive-media.ts";

t.test("the demo's recordings are what a station really gets, and say what ingest takes", async (t) => {
  const dir = await scratch(t);
  const card = join(dir, "card");
  const { files, nowMs } = await makeDemoMedia(card, { nowMs: Date.now(), all: false });
  t.ok(files.length >= 17);
  t.same(
    (await readdir(card)).sort(),
    [...files.map(({ file }) => basename(file)), "demo.json"].sort(),
    "nothing else lies there",
  );
  for (const { file, metadata } of files) {
    t.same(parseMetadata(JSON.stringify(metadata)), metadata, metadata.fileName);
    t.equal(metadata.fileName, basename(file));
    t.equal(metadata.sizeBytes, (await readFile(file)).length);
    t.equal(metadata.caseNumber === undefined, metadata.evidencePurpose === undefined);
  }
  const later = await makeDemoMedia(card, { nowMs: nowMs + 86_400_000, all: false });
  t.same(later, { files, nowMs }, "a day later they are the same");

  const sandbox = (await probeSandbox()).level === "bubblewrap" ? "require" : "limits";
  const formats = new Map(files.map((made) => [basename(made.file).replace(/^.*\./, made.cutOff ? "cut " : ""), made]));
  t.same([...formats.keys()].sort(), ["avi", "cut mp4", "gpx", "jpg", "mov", "mp4", "txt", "wav"]);
  for (const { file, metadata, cutOff } of formats.values()) {
    const derived = await deriveMedia({
      ...{ inputPath: file, fileName: metadata.fileName, scratchDir: await mkdtemp(join(dir, "scratch-")) },
      settings: mediaSettings({ sandbox }),
      signal: new AbortController().signal,
    });
    t.equal(derived.kind, metadata.kind, metadata.fileName);
    t.equal(derived.playable, metadata.kind !== "text" && !cutOff, metadata.fileName);
    if (cutOff) t.equal(derived.reason, "no-moov");
    else t.same(derived.defects, [], metadata.fileName);
  }
});

t.test(
  "whenever the demo is run, its recordings were made before, and are late only where they are meant to be",
  (t) => {
    const hour = 3_600_000;
    for (let at = 0; at < 24 * 6; at += 1) {
      const nowMs = Date.UTC(2026, 11, 31, 12) + (at * hour) / 6;
      const recordings = demoRecordings(demoTimes(nowMs), true);
      for (const { name, metadata, seconds = 0 } of recordings) {
        const madeMs = Date.parse(`${metadata.capturedAt.replace(" ", "T")}+08:00`) - (metadata.clockOffsetMs ?? 0);
        const age = nowMs - madeMs - seconds * 1000;
        const wrong = age < 0 || age > 24 * hour !== (metadata.caseNumber ?? "").startsWith("城执强");
        if (wrong) t.fail(`${name} at ${new Date(nowMs).toISOString()}`);
      }
      const names = recordings.map(({ name }) => name);
      if (new Set(names).size !== names.length) t.fail(`two files of one name at ${new Date(nowMs).toISOString()}`);
    }
    t.end();
  },
);
