export { type BagForDownload, fetchBag, removeOldBags } from "./bags.ts";
export type { Dossier, Subject } from "./dossier.ts";
export type { ExportProgress } from "./export-progress.ts";
export { type DirectoryExport, exportToDirectory } from "./export-to-directory.ts";
export { type ExportView, exportView, listExports, requestExport, requeueOverdueExports } from "./exports.ts";
export { readPdfFont } from "./pdf-font.ts";
export { type ExportWorkDependencies, runExport } from "./run-export.ts";
export type { ExportDependencies, WrittenBag } from "./write-bag.ts";
