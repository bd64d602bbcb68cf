export { auditRound, runAudit, runReplication } from "./audit.ts";
export type { AuditDependencies, AuditSettings, RepairDependencies, Replica } from "./dependencies.ts";
export { type AuditFigures, auditFigures, reviewOverdue } from "./figures.ts";
export { type FsckDependencies, fsck } from "./fsck.ts";
export { repairClip } from "./repair.ts";
export { replicaFigures, replicateRound } from "./replicate.ts";
export { type AuditRun, listRuns, runDetail } from "./runs.ts";
export { feedFromLog } from "./scope.ts";
export { startManualRun } from "./start.ts";
