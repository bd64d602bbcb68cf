import { mkdtemp, rm } from "node:fs/promises";
import { deriveMedia, mediaSettings } from "./index.ts";

for (const f of process.argv.slice(2)) {
  const dir = await mkdtemp("/tmp/m/scratch-");
  const t = performance.now();
  const r = await deriveMedia({
    inputPath: f,
    fileName: f,
    scratchDir: dir,
    settings: mediaSettings({ sandbox: "require" }),
    signal: new AbortController().signal,
  }).catch((e) => e);
  if (r instanceof Error) console.log(f, r);
  else
    console.log(
      f,
      Math.round(performance.now() - t),
      r.kind,
      r.mediaType,
      r.playable,
      r.reason,
      r.defects,
      r.derivatives.map((d: any) => [d.role, d.mediaType, d.sizeBytes, JSON.stringify(d.facts)].join(" ")),
      r.facts?.captureTimes,
    );
  if (!process.env.KEEP) await rm(dir, { recursive: true });
}
