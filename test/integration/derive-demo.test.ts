import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import t from "tap";
import { deriveMedia, mediaSettings, probeSandbox } from "#derive";
import { parseMetadata } from "#ingest";
import { makeDemoMedia } from "../../src/cli/demo-media.ts";
import { scratch } from "../support/derive-media.ts";

t.setTimeout(120_000);

t.test("the demo's recordings are what a station really gets, and say what ingest takes", async (t) => {
  const dir = await scratch(t);
  const files = await makeDemoMedia(join(dir, "card"));
  t.ok(files.length >= 7);
  t.same((await readdir(join(dir, "card"))).sort(), files.map(({ file }) => basename(file)).sort());
  for (const { file, metadata } of files) {
    t.same(parseMetadata(JSON.stringify(metadata)), metadata, metadata.fileName);
    t.equal(metadata.fileName, basename(file));
    t.equal(metadata.sizeBytes, (await readFile(file)).length);
    t.equal(metadata.caseNumber === undefined, metadata.evidencePurpose === undefined);
  }
  t.equal(files.filter(({ metadata }) => metadata.caseNumber !== undefined).length, 4);

  const sandbox = (await probeSandbox()).level === "bubblewrap" ? "require" : "limits";
  for (const { file, metadata } of files) {
    const derived = await deriveMedia({
      ...{ inputPath: file, fileName: metadata.fileName, scratchDir: await mkdtemp(join(dir, "scratch-")) },
      settings: mediaSettings({ sandbox }),
      signal: new AbortController().signal,
    });
    t.equal(derived.kind, metadata.kind, metadata.fileName);
    const isCut = metadata.interruptionReason !== undefined;
    t.equal(derived.playable, metadata.kind !== "text" && !isCut, metadata.fileName);
    if (isCut) t.equal(derived.reason, "no-moov");
    else t.same(derived.defects, [], metadata.fileName);
  }
});
