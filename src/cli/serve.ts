import type { AddressInfo } from "node:net";
import { configFromEnvironment } from "#config";
import { buildApp, Metrics, UploadsInFlight } from "#http";
import { DocksealError, pause } from "#kernel";
import type { WormReport } from "#store";
import { newLogger } from "./logger.ts";
import { openPlatform, type Platform } from "./platform.ts";
import { aborted, stopSignal } from "./stop-signal.ts";

/** `dockseal serve`: the API. Prints `ready <url>` when it takes requests; stops cleanly on SIGTERM. */
export async function serve(): Promise<number> {
  const stop = stopSignal();
  const config = configFromEnvironment();
  const logger = newLogger("serve", config.logLevel);
  const platform = await openPlatform(config, logger);
  const uploads = new UploadsInFlight();
  let worm: WormReport | undefined;
  const app = await buildApp({
    db: platform.db,
    store: platform.store,
    storeUrl: config.storeUrl,
    logKey: platform.logKey,
    logger,
    metrics: new Metrics(platform.db, () => uploads.size),
    uploads,
    limits: {
      maxBytes: config.maxClipBytes,
      stallSeconds: config.uploadStallSeconds,
      abandonedSeconds: config.uploadAbandonedSeconds,
    },
    trustProxy: config.trustProxy,
    secureCookies: config.secureCookies === "yes",
    sessionHours: config.sessionHours,
    wormReport: () => worm,
  });
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (cause) {
    await app.close();
    await platform.close();
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const detail = `cannot listen on DOCKSEAL_HOST ${config.host}, DOCKSEAL_PORT ${config.port}: ${reason}`;
    throw new DocksealError("configuration-invalid", { detail, cause });
  }
  const { port } = app.server.address() as AddressInfo;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  process.stdout.write(`ready http://${host}:${port}\n`);
  const probing = keepProbing(platform, stop, (report) => {
    worm = report;
  });

  await aborted(stop);
  logger.info({ uploads: uploads.size }, "stopping: no new uploads, those that run may end");
  await uploads.drain(config.shutdownSeconds * 1000);
  await app.close();
  await probing;
  await platform.close();
  logger.info("stopped");
  return 0;
}

/** Probes the store at start and once a day, and tells the log honestly. */
async function keepProbing(platform: Platform, stop: AbortSignal, keep: (report: WormReport) => void): Promise<void> {
  while (!stop.aborted) {
    try {
      const report = await platform.store.probeWorm();
      keep(report);
      if (report.writeOnce) platform.logger.info({ worm: report }, "the store is write-once");
      else platform.logger.warn({ worm: report }, "the store is NOT write-once");
    } catch (err) {
      platform.logger.warn({ err }, "the write-once probe could not run");
    }
    await pause(24 * 3_600_000, stop);
  }
}
