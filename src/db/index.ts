export {
  type Database,
  type DatabaseOptions,
  databaseUnavailable,
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
  keepIntentAlive,
  signOfLifeMs,
  takeAbandonedIntents,
} from "./intents.ts";
export { migrate, migrationDigests, missingMigrations, thawedMigrations } from "./migrate.ts";
export {
  dispatchOutbox,
  failPendingSteps,
  finishStep,
  noteStepError,
  type OutboxRow,
  planSteps,
  requeueOverdueSteps,
  type Step,
  stepIsPending,
  touchStep,
} from "./steps.ts";
