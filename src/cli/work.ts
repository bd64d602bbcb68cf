import type { Logger } from "pino";
import { type AuditDependencies, repairClip, runAudit, runReplication } from "#audit";
import { type Config, configFromEnvironment } from "#config";
import { collectCosignatures, fixedCheckpoint, keepAnchoring, runSequencer, type Witnesses } from "#custody";
import { type Database, dispatchOutbox, type OutboxRow, requeueOverdueSteps, signOfLifeMs } from "#db";
import { mediaSettings, sweepScratch } from "#derive";
import { readPdfFont, removeOldBags, requeueOverdueExports } from "#export";
import { watchSilentStations } from "#gateway";
import { sweepAbandonedWrites, sweepUploads } from "#ingest";
import { newId, pause, systemClock } from "#kernel";
import { type Job, openQueue, type Queue } from "#queue";
import { keepAnalysing } from "#recordings";
import { exportSignerIn, keepRenewing, sealKeyIn } from "#seal";
import type { EvidenceStore } from "#store";
import { jobHandlers } from "../../workers/handlers.ts";
import { newLogger } from "./logger.ts";
import { openPlatform, timestampSourceOf, witnessesOf } from "./platform.ts";
import { replicaOf } from "./replica.ts";
import { aborted, stopSignal } from "./stop-signal.ts";

/**
 * `dockseal work`: jobs, the log's sequencer, the outbox, the reconciler, the sweeper, time lines
 * of recorders, the fixity audit and the replica. Prints `ready work`.
 */
export async function work(options: { queues?: string[] }): Promise<number> {
  const stop = stopSignal();
  const config = configFromEnvironment();
  const logger = newLogger("work", config.logLevel);
  const witnesses = await witnessesOf(config);
  const platform = await openPlatform(config, logger);
  const timestamps = await timestampSourceOf(config, logger);
  const { db, store } = platform;
  const replica = replicaOf(config, logger);
  const audit: AuditDependencies = {
    db,
    store,
    storeUrl: config.storeUrl,
    replica,
    settings: {
      days: config.auditDays,
      sampleCount: config.auditSample,
      bytesPerSecond: config.auditMibPerSecond * 1024 ** 2,
      leaseSeconds: config.stepOverdueSeconds,
    },
    clock: systemClock,
    fixedCheckpoint,
    log: logger,
  };
  const queue = openQueue({ url: config.queueUrl, log: logger });
  const leftOver = await sweepScratch(config.scratchDir);
  if (leftOver > 0) logger.info({ leftOver }, "what killed workers left in the scratch directory was removed");
  await queue.startAll(
    jobHandlers({
      db,
      publish: { db, store, timestamps, sealKey: await sealKeyIn(config.keysDir) },
      seal: {
        db,
        store,
        storeUrl: config.storeUrl,
        retentionDays: config.retentionDays,
        clock: systemClock,
        onQuarantine: (clipId, reason) => logger.error({ clipId, reason }, "clip quarantined"),
        repair: (clip, reason, signal) => repairClip(audit, clip, reason, signal),
        onSideError: (err) => logger.warn({ err }, "a sign of life could not be given"),
      },
      derive: {
        db,
        store,
        scratchDir: config.scratchDir,
        signOfLifeMs: signOfLifeMs(Math.min(config.uploadAbandonedSeconds, config.stepOverdueSeconds)),
        settings: mediaSettings({ sandbox: config.sandbox, wallSeconds: config.transcodeMaxSeconds }),
        onSideError: (err) => logger.warn({ err }, "a side task of deriving failed"),
      },
      export: {
        ...{ db, store, timestamps, logKey: platform.logKey, pdfFont: config.pdfFont, clock: systemClock },
        signer: await exportSignerIn(config.keysDir, systemClock),
        signOfLifeMs: 1000,
        onSideError: (err) => logger.warn({ err }, "a side task of an export failed"),
      },
    }),
    {
      concurrency: {
        hash: config.hashConcurrency,
        transcode: config.transcodeConcurrency,
        timestamp: 4,
        bind: 4,
        export: config.exportConcurrency,
      },
      ...(options.queues === undefined ? {} : { queues: options.queues }),
    },
  );
  const loops = Promise.all([
    runSequencer({
      ...{ db, store, key: platform.logKey, signal: stop },
      onError: (err) => logger.error({ err }, "sequencing failed"),
    }),
    keepAnchoring({
      ...{ db, store, timestamps, signal: stop, retentionDays: config.retentionDays },
      everySeconds: config.checkpointAnchorSeconds,
      onError: (err) => logger.warn({ err }, "a checkpoint could not be copied or timestamped; it is tried again"),
    }),
    keepRenewing({
      ...{ db, timestamps, clock: systemClock, renewDays: config.tsaRenewDays, signal: stop },
      onError: (err) => logger.warn({ err }, "a timestamp could not be renewed; it is tried again"),
    }),
    dispatchLoop(db, queue, stop, logger),
    tidyLoop(db, store, config, stop, logger),
    keepAnalysing({
      ...{ db, signal: stop },
      onError: (err, recorderId) =>
        logger.warn({ err, recorderId }, "a time line could not be worked out; it is tried again"),
    }),
    runAudit(audit, stop, config.reconcileSeconds * 1000),
    runReplication(audit, stop, config.reconcileSeconds * 1000),
    witnesses === undefined ? undefined : witnessLoop(db, witnesses, stop, logger),
  ]);
  process.stdout.write("ready work\n");
  const { problems } = await queue.health();
  // Nothing is lost by them, for the database knows what is undone; but the operator should know.
  for (const problem of problems) logger.warn({ problem }, "the queue is not set up as it should be");
  await readPdfFont(config.pdfFont).catch((err: unknown) => logger.warn({ err }, "exports will fail"));

  await aborted(stop);
  logger.info("stopping: jobs that run are put back");
  await queue.close({ deadlineMs: config.shutdownSeconds * 1000 });
  await loops;
  await replica?.close();
  await platform.close();
  logger.info("stopped");
  return 0;
}

/** Outbox rows become jobs. While the queue is away they wait, and nothing else does. */
async function dispatchLoop(db: Database, queue: Queue, stop: AbortSignal, logger: Logger): Promise<void> {
  let pauseMs = 200;
  while (!stop.aborted) {
    try {
      while (!stop.aborted) {
        const sent = await dispatchOutbox(db, (rows) => queue.addBulk(rows.map(jobOf)));
        if (sent === 0) break;
      }
      pauseMs = 200;
    } catch (err) {
      logger.warn({ err }, "the outbox could not be dispatched; it is tried again");
      pauseMs = Math.min(pauseMs * 2, 5000);
    }
    await pause(pauseMs, stop);
  }
}

function jobOf(row: OutboxRow): Job {
  const { step, generation, traceId } = row;
  if (step === "export") {
    const { exportId } = row;
    return { name: step, payload: { v: 1, exportId, traceId }, jobId: `${exportId}.${step}.${generation}` };
  }
  const { clipId } = row;
  return { name: step, payload: { v: 1, clipId, traceId }, jobId: `${clipId}.${step}.${generation}` };
}

/** Witnesses cosign the log's checkpoints. While they are away receipts are not witnessed, and nothing else waits. */
function witnessLoop(db: Database, witnesses: Witnesses, signal: AbortSignal, logger: Logger): Promise<void> {
  return collectCosignatures(db, witnesses, {
    signal,
    onError: (err, witness) => logger.warn({ err, witness }, "a witness could not be asked; it is tried again"),
    onAlarm: (alarm) => logger.error({ alarm }, "ALARM: a witness refuses"),
  });
}

/** Overdue steps and exports are queued again, old bags are let go, abandoned writes are swept, silent stations are noticed. */
async function tidyLoop(
  db: Database,
  store: EvidenceStore,
  config: Config,
  stop: AbortSignal,
  logger: Logger,
): Promise<void> {
  while (!stop.aborted) {
    try {
      const requeued = await requeueOverdueSteps(db, config.stepOverdueSeconds, newId());
      if (requeued > 0) logger.warn({ requeued }, "overdue steps were queued again");
      const exports = await requeueOverdueExports(db, config.stepOverdueSeconds, newId());
      if (exports > 0) logger.warn({ exports }, "overdue exports were queued again");
      const removed = await removeOldBags(db, config.exportDays);
      if (removed > 0) logger.info({ removed }, "old bags were let go");
    } catch (err) {
      logger.warn({ err }, "the reconciler could not run");
    }
    try {
      const expired = await sweepUploads(db, store, config.uploadExpiresSeconds);
      if (expired > 0) logger.info({ expired }, "resumable uploads that nobody continued were ended");
      const swept = await sweepAbandonedWrites(db, store, config.uploadAbandonedSeconds);
      if (swept.keys > 0) logger.info(swept, "abandoned writes were swept");
    } catch (err) {
      logger.warn({ err }, "the sweeper could not run");
    }
    if (config.gateway === "yes") {
      try {
        for (const station of await watchSilentStations(db, config.gatewaySilentSeconds))
          logger.error({ station }, "ALARM: a station fell silent");
      } catch (err) {
        logger.warn({ err }, "silent stations could not be looked for");
      }
    }
    await pause(config.reconcileSeconds * 1000, stop);
  }
}
