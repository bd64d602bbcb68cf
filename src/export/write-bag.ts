import { checkpointCovering, eventFiles, type LogKey, type ProvingCheckpoint, placesInLog } from "#custody";
import type { Database } from "#db";
import { type ExportSigner, imprintsOf, signDetached } from "#evidence";
import type { Clock } from "#kernel";
import type { TimestampSource } from "#seal";
import type { EvidenceStore } from "#store";
import { type BagSummary, BagWriter, jsonFile } from "./bag/bag-writer.ts";
import { eventPath } from "./bag/layout.ts";
import type { BagSink } from "./bag/sink.ts";
import { caseFileOf } from "./case-file.ts";
import type { Dossier } from "./dossier.ts";
import { type ExportProgress, ProgressCount } from "./export-progress.ts";
import { type Exporter, electronicDataList } from "./list/electronic-data-list.ts";
import { pdfList } from "./list/pdf-list.ts";
import { shippedFiles } from "./shipped-files.ts";
import { verifyText } from "./verify-text.ts";
import { writeClip } from "./write-clip.ts";
import { writeKeys } from "./write-keys.ts";

export interface ExportDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly logKey: Pick<LogKey, "origin">;
  readonly timestamps: TimestampSource;
  readonly signer: ExportSigner;
  /** Path of a TrueType font with Chinese letters. */
  readonly pdfFont: string;
  readonly clock: Clock;
}

export interface BagOptions {
  readonly exportId: string;
  readonly exporter: Exporter;
  readonly at: Date;
  /** Bytes of {@link ExportDependencies.pdfFont}. */
  readonly font: Buffer;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ExportProgress) => void;
}

export interface WrittenBag extends BagSummary {
  /** Of the checkpoint that all proofs lead to. */
  readonly checkpointSize: number;
}

const tagManifestName = "tagmanifest-sha256.txt";

/**
 * Writes the whole bag: docs/export.md has what is in it. Nothing of it is held in memory but its lists.
 * @throws DocksealError those of {@link writeClip}, `log-behind`, those of store, timestamp and sink; the signal's reason.
 */
export async function writeBag(
  deps: ExportDependencies,
  dossier: Dossier,
  sink: BagSink,
  options: BagOptions,
): Promise<WrittenBag> {
  const { db, store } = deps;
  const { signal } = options;
  const checkpoint = await checkpointCovering(db, dossier.eventIds, { signal });
  const writer = new BagWriter(sink);
  await writeLists(deps, dossier, writer, checkpoint, options);
  const progress = new ProgressCount(dossier, options.onProgress);
  for (const clip of dossier.clips) {
    signal.throwIfAborted();
    await writeClip({ db, store, writer, progress, signal }, clip);
  }
  for await (const event of eventFiles(db, dossier.eventIds, checkpoint)) {
    signal.throwIfAborted();
    const path = eventPath(event.index, event.type);
    await writer.payloadBytes(`${path}.entry.json`, event.entry);
    if (event.opening !== undefined) await writer.payloadBytes(`${path}.opening.json`, event.opening);
    await writer.payloadBytes(`${path}.proof.txt`, Buffer.from(event.proof));
  }
  const { logKeys } = await writeKeys(deps, dossier, checkpoint, writer);
  await writer.tag("log/checkpoint", checkpoint.note);
  for (const { path, content } of await shippedFiles()) await writer.tag(path, content);
  await writer.tag("VERIFY.txt", verifyText({ oneLogKey: logKeys === 1 }));
  const summary = await writer.close(bagInfo(dossier, options), async (tagManifest) => {
    const signature = signDetached(tagManifest, deps.signer, deps.clock.now());
    const { tokenDer } = await deps.timestamps.stamp(imprintsOf(tagManifest), signal);
    return [
      { path: `signature/${tagManifestName}.p7s`, content: signature },
      { path: `signature/${tagManifestName}.tst`, content: tokenDer },
    ];
  });
  return { ...summary, checkpointSize: checkpoint.size };
}

async function writeLists(
  { db, logKey }: ExportDependencies,
  dossier: Dossier,
  writer: BagWriter,
  checkpoint: ProvingCheckpoint,
  { exportId, exporter, at, font }: BagOptions,
): Promise<void> {
  const sealings = dossier.clips.map(({ seal }) => seal.eventId);
  const places = await placesInLog(db, sealings);
  const list = electronicDataList(dossier, { exportId, exporter, at, origin: logKey.origin, checkpoint, places });
  await writer.payloadBytes("data/case.json", jsonFile(caseFileOf(dossier, exportId)));
  await writer.payloadBytes("data/electronic-data-list.json", jsonFile(list));
  await writer.payloadBytes("data/electronic-data-list.pdf", await pdfList(list, font));
}

/** RFC 8493 §2.2.2: one line a label, so no value may hold a line break. */
function bagInfo({ organization, subject, case: file, clips }: Dossier, { exportId, at }: BagOptions) {
  const what = "caseId" in subject ? `case ${subject.caseId}` : `clip ${subject.clipId}`;
  const lines: [label: string, value: string][] = [
    ["Source-Organization", organization.name],
    ["External-Description", file === undefined ? "视音频文件 clip" : `案件 case ${file.number}`],
    ["External-Identifier", exportId],
    ["Internal-Sender-Identifier", what],
    ["Internal-Sender-Description", `originals: ${clips.length}`],
    ["Bagging-Date", at.toISOString().slice(0, 10)],
    ["Bag-Software-Agent", "dockseal"],
  ];
  return lines.map(([label, value]) => [label, value.replace(/\p{C}/gu, " ")] as const);
}
