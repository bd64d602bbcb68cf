import type { Dossier } from "./dossier.ts";

/** How far the recordings and their copies got; what else is in a bag is small. */
export interface ExportProgress {
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** Counts, and tells. */
export class ProgressCount {
  readonly #tell: (progress: ExportProgress) => void;
  readonly #totals: Pick<ExportProgress, "filesTotal" | "bytesTotal">;
  #filesDone = 0;
  #bytesDone = 0;

  constructor({ clips }: Dossier, tell: (progress: ExportProgress) => void) {
    this.#tell = tell;
    const sizes = clips.flatMap(({ seal, derivatives }) => [
      seal.manifest.sizeBytes,
      ...derivatives.map(({ sizeBytes }) => sizeBytes),
    ]);
    this.#totals = { filesTotal: sizes.length, bytesTotal: sizes.reduce((sum, size) => sum + size, 0) };
    this.add(0, 0);
  }

  add(files: number, bytes: number): void {
    this.#filesDone += files;
    this.#bytesDone += bytes;
    this.#tell({ filesDone: this.#filesDone, bytesDone: this.#bytesDone, ...this.#totals });
  }
}
