export {
  type Database,
  type DatabaseOptions,
  databaseUnavailable,
  inSnapshot,
  inTransaction,
  isDatabaseAway,
  isUniqueViolation,
  openDatabase,
  speakingDatabase,
  type Tx,
} from "./database.ts";
export { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded.ts";
export {
  abandonIntent,
  beginIntent,
  endIntent,
  forgetIntent,
  handToSweeper,
  keepIntentAlive,
  signOfLifeMs,
  takeAbandonedIntents,
} from "./intents.ts";
export { type ListenOptions, listenTo } from "./listen.ts";
export { migrate, migrationDigests, missingMigrations, thawedMigrations } from "./migrate.ts";
export { dispatchOutbox, type OutboxRow, queueExport } from "./outbox.ts";
export { cursorRefused, idCursor, pageOf } from "./pages.ts";
export {
  failPendingSteps,
  finishStep,
  noteStepError,
  type PendingFigures,
  type PendingStep,
  pendingFigures,
  pendingSteps,
  planSteps,
  replanStep,
  requeueOverdueSteps,
  type Step,
  stepIsPending,
  touchStep,
} from "./steps.ts";
