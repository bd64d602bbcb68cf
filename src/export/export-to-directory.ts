import { inTransaction } from "#db";
import type { Actor } from "#identity";
import { newId } from "#kernel";
import { DirectorySink } from "./bag/directory-sink.ts";
import { readDossier, type Subject } from "./dossier.ts";
import { appendExported } from "./export-events.ts";
import type { ExportProgress } from "./export-progress.ts";
import type { Exporter } from "./list/electronic-data-list.ts";
import { readPdfFont } from "./pdf-font.ts";
import { type ExportDependencies, type WrittenBag, writeBag } from "./write-bag.ts";

export interface DirectoryExport {
  readonly subject: Subject;
  readonly organizationId: string;
  readonly outDir: string;
  readonly actor: Pick<Actor, "type" | "id">;
  readonly exporter: Exporter;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ExportProgress) => void;
}

/**
 * Makes a bag as a folder. What fails leaves nothing behind; a process that is killed leaves `<name>.partial`, which the
 * next run replaces.
 * @returns the folder, and what is in it.
 * @throws DocksealError `conflict` when the folder exists; see {@link readDossier} and {@link writeBag}.
 */
export async function exportToDirectory(
  deps: ExportDependencies,
  wanted: DirectoryExport,
): Promise<{ path: string; exportId: string; bag: WrittenBag }> {
  const { subject, organizationId, outDir, actor, exporter, signal, onProgress } = wanted;
  const font = await readPdfFont(deps.pdfFont);
  const dossier = await readDossier(deps.db, subject, organizationId);
  const sink = await DirectorySink.open(outDir, dossier.name);
  const exportId = newId();
  try {
    const at = deps.clock.now();
    const bag = await writeBag(deps, dossier, sink, { exportId, exporter, at, font, signal, onProgress });
    // Logged first: a bag that nobody knows of would be worse than an event whose bag was not renamed any more.
    await inTransaction(deps.db, (tx) => appendExported(tx, { exportId, subject, actor, exporter }, bag));
    await sink.finish();
    return { path: sink.target, exportId, bag };
  } catch (error) {
    await sink.abandon();
    throw error;
  }
}
