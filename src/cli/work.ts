import type { Logger } from "pino";
import { type Config, configFromEnvironment } from "#config";
import { runSequencer } from "#custody";
import { type Database, dispatchOutbox, requeueOverdueSteps, signOfLifeMs } from "#db";
import { mediaSettings, sweepScratch } from "#derive";
import { sweepAbandonedWrites } from "#ingest";
import { newId, pause, systemClock } from "#kernel";
import { openQueue, type Queue } from "#queue";
import type { EvidenceStore } from "#store";
import { jobHandlers } from "../../workers/handlers.ts";
import { newLogger } from "./logger.ts";
import { openPlatform, timestampSourceOf } from "./platform.ts";
import { aborted, stopSignal } from "./stop-signal.ts";

/** `dockseal work`: jobs, the log's sequencer, the outbox, the reconciler and the sweeper. Prints `ready work`. */
export async function work(options: { queues?: string[] }): Promise<number> {
  const stop = stopSignal();
  const config = configFromEnvironment();
  const logger = newLogger("work", config.logLevel);
  const platform = await openPlatform(config, logger);
  const timestamps = await timestampSourceOf(config);
  const queue = openQueue({ url: config.queueUrl, log: logger });
  const { db, store } = platform;
  const leftOver = await sweepScratch(config.scratchDir);
  if (leftOver > 0) logger.info({ leftOver }, "what killed workers left in the scratch directory was removed");
  await queue.startAll(
    jobHandlers({
      db,
      timestamps,
      seal: {
        db,
        store,
        storeUrl: config.storeUrl,
        retentionDays: config.retentionDays,
        clock: systemClock,
        onQuarantine: (clipId, reason) => logger.error({ clipId, reason }, "clip quarantined"),
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
    }),
    {
      concurrency: { hash: config.hashConcurrency, transcode: config.transcodeConcurrency, timestamp: 4, bind: 4 },
      ...(options.queues === undefined ? {} : { queues: options.queues }),
    },
  );
  const loops = Promise.all([
    runSequencer(db, platform.logKey, { signal: stop, onError: (err) => logger.error({ err }, "sequencing failed") }),
    dispatchLoop(db, queue, stop, logger),
    tidyLoop(db, store, config, stop, logger),
  ]);
  process.stdout.write("ready work\n");
  const { problems } = await queue.health();
  // Nothing is lost by them, for the database knows what is undone; but the operator should know.
  for (const problem of problems) logger.warn({ problem }, "the queue is not set up as it should be");

  await aborted(stop);
  logger.info("stopping: jobs that run are put back");
  await queue.close({ deadlineMs: config.shutdownSeconds * 1000 });
  await loops;
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
        const sent = await dispatchOutbox(db, (rows) =>
          queue.addBulk(
            rows.map(({ clipId, step, generation, traceId }) => ({
              name: step,
              payload: { v: 1, clipId, traceId },
              jobId: `${clipId}.${step}.${generation}`,
            })),
          ),
        );
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

/** Overdue steps are queued again, abandoned writes are swept. */
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
    } catch (err) {
      logger.warn({ err }, "the reconciler could not run");
    }
    try {
      const swept = await sweepAbandonedWrites(db, store, config.uploadAbandonedSeconds);
      if (swept.keys > 0) logger.info(swept, "abandoned writes were swept");
    } catch (err) {
      logger.warn({ err }, "the sweeper could not run");
    }
    await pause(config.reconcileSeconds * 1000, stop);
  }
}
