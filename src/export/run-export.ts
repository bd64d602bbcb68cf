import { createHash } from "node:crypto";
import { abandonIntent, beginIntent, endIntent, forgetIntent, inTransaction, keepIntentAlive } from "#db";
import { DocksealError, isProblem, newId, type ProblemCode } from "#kernel";
import { TarSink } from "./bag/tar-sink.ts";
import { readDossier } from "./dossier.ts";
import { appendExported } from "./export-events.ts";
import type { ExportProgress } from "./export-progress.ts";
import {
  beginExport,
  finishExport,
  noteExportProblem,
  noteProgress,
  type StoredBag,
  type WantedExport,
} from "./exports.ts";
import { readPdfFont } from "./pdf-font.ts";
import { type ExportDependencies, type WrittenBag, writeBag } from "./write-bag.ts";

export interface ExportWorkDependencies extends ExportDependencies {
  /** How often progress is written down, which is a sign of life. */
  readonly signOfLifeMs: number;
  /** Told about signs of life and clean-ups that did not work. */
  readonly onSideError: (error: unknown) => void;
}

/** What no later try can mend: the rows or bytes would have to be others. */
const hopeless: readonly ProblemCode[] = [
  "not-found",
  "quarantined",
  "export-refused",
  "object-differs",
  "object-missing",
  "configuration-invalid",
  "store-full",
];

/**
 * Makes the bag of an export as a tar in the evidence store, streamed, under a key of its own. Killed anywhere, it leaves an
 * object that the sweeper removes, and the next run begins again. Over already: nothing.
 * @throws DocksealError when a later try may succeed, and also when not: then the export is `failed` as well.
 */
export async function runExport(
  deps: ExportWorkDependencies,
  job: { exportId: string; signal: AbortSignal },
): Promise<void> {
  const wanted = await beginExport(deps.db, job.exportId);
  if (wanted === undefined) return;
  try {
    await exportToStore(deps, wanted, job.signal);
  } catch (error) {
    if (job.signal.aborted) throw error;
    const problem = isProblem(error) ? error : new DocksealError("internal", { cause: error });
    await noteExportProblem(deps.db, wanted.id, problem, hopeless.includes(problem.code));
    throw error;
  }
}

async function exportToStore(deps: ExportWorkDependencies, wanted: WantedExport, signal: AbortSignal): Promise<void> {
  const { db } = deps;
  const font = await readPdfFont(deps.pdfFont);
  const dossier = await readDossier(db, wanted.subject, wanted.organizationId);
  const at = deps.clock.now();
  const objectKey = `exports/${wanted.id}/${newId()}.tar`;
  await beginIntent(db, objectKey, "export");
  let progress: ExportProgress | undefined;
  const alive = setInterval(() => {
    Promise.all([noteProgress(db, wanted.id, progress), keepIntentAlive(db, objectKey)]).catch(deps.onSideError);
  }, deps.signOfLifeMs);
  try {
    const sink = new TarSink(dossier.name, at);
    const writing = writeBag(deps, dossier, sink, {
      ...{ exportId: wanted.id, exporter: wanted.exporter, at, font, signal },
      onProgress: (now) => {
        progress = now;
      },
    });
    const { stored, bag } = await storeTar(deps, sink, writing, { objectKey, name: dossier.name, signal });
    const finished = await inTransaction(db, async (tx) => {
      if (!(await finishExport(tx, wanted.id, { stored, bag, progress }))) return false;
      if (!(await endIntent(tx, objectKey)))
        throw new Error(`the write of ${objectKey} was swept before it was recorded`);
      const { id: exportId, subject, actor, exporter } = wanted;
      await appendExported(tx, { exportId, subject, actor, exporter }, bag);
      return true;
    });
    if (!finished) await discard(deps, objectKey);
  } catch (error) {
    await discard(deps, objectKey);
    throw error;
  } finally {
    clearInterval(alive);
  }
}

/** Both ends of the stream: what fails at one ends the other, and the first failure is the one that is told. */
async function storeTar(
  { store }: ExportWorkDependencies,
  sink: TarSink,
  writing: Promise<WrittenBag>,
  target: { objectKey: string; name: string; signal: AbortSignal },
): Promise<{ stored: StoredBag; bag: WrittenBag }> {
  const { objectKey, name, signal } = target;
  const sha256 = createHash("sha256");
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of sink.stream) {
      sha256.update(chunk);
      yield chunk;
    }
  }
  let first: unknown;
  const written = writing.then(
    (bag) => {
      sink.finish();
      return bag;
    },
    (error: unknown) => {
      first ??= error;
      sink.fail(error);
      throw error;
    },
  );
  const stored = store
    .put({ key: objectKey, body: hashed(), contentType: "application/x-tar", signal })
    .catch((error: unknown) => {
      first ??= error;
      sink.fail(error);
      throw error;
    });
  const [bag, put] = await Promise.allSettled([written, stored]);
  if (bag.status === "rejected" || put.status === "rejected") throw first;
  const { versionId, sizeBytes } = put.value;
  return { bag: bag.value, stored: { name, objectKey, versionId, sizeBytes, sha256: sha256.digest("hex") } };
}

/** Removes a tar that did not become an export; what fails here is left to the sweeper. */
async function discard({ db, store, onSideError }: ExportWorkDependencies, objectKey: string): Promise<void> {
  try {
    // False: the transaction went through after all, whatever its answer was. Then the object stays.
    if (!(await abandonIntent(db, objectKey))) return;
    await store.discard(objectKey);
    await forgetIntent(db, objectKey);
  } catch (error) {
    onSideError(error);
  }
}
