import type { AddressInfo } from "node:net";
import { repairClip } from "#audit";
import { configFromEnvironment } from "#config";
import { logGrew, treeHeadKeyIn } from "#custody";
import { listenTo } from "#db";
import { buildApp, LiveClips, Metrics, UploadsInFlight } from "#http";
import { DocksealError, pause } from "#kernel";
import type { WormReport } from "#store";
import { newLogger } from "./logger.ts";
import { openPlatform, type Platform } from "./platform.ts";
import { replicaOf } from "./replica.ts";
import { aborted, stopSignal } from "./stop-signal.ts";

/** `dockseal serve`: the API. Prints `ready <url>` when it takes requests; stops cleanly on SIGTERM. */
export async function serve(): Promise<number> {
  const stop = stopSignal();
  const config = configFromEnvironment();
  const logger = newLogger("serve", config.logLevel);
  const platform = await openPlatform(config, logger);
  const replica = replicaOf(config, logger);
  const repairing = {
    ...{ db: platform.db, store: platform.store, storeUrl: config.storeUrl, replica, log: logger },
    settings: { leaseSeconds: config.stepOverdueSeconds },
  };
  const uploads = new UploadsInFlight(config.stationUploads);
  const live = new LiveClips(platform.db, (err) => logger.warn({ err }, "a look at the log for live events failed"));
  let worm: WormReport | undefined;
  const app = await buildApp({
    db: platform.db,
    store: platform.store,
    storeUrl: config.storeUrl,
    logKey: platform.logKey,
    treeHeadKey: await treeHeadKeyIn(config.keysDir),
    logger,
    metrics: new Metrics(platform.db, () => uploads.size),
    uploads,
    live,
    limits: {
      maxBytes: config.maxClipBytes,
      stallSeconds: config.uploadStallSeconds,
      abandonedSeconds: config.uploadAbandonedSeconds,
      resumableSeconds: config.uploadExpiresSeconds,
    },
    trustProxy: config.trustProxy,
    secureCookies: config.secureCookies === "yes",
    sessionHours: config.sessionHours,
    wormReport: () => worm,
    gateway:
      config.gateway === "no"
        ? undefined
        : {
            requestsPerMinute: config.gatewayRequestsPerMinute,
            lowSpacePercent: config.gatewayLowSpacePercent,
            raidHealthy: config.gatewayRaidHealthy,
          },
    auditDays: config.auditDays,
    repair: (clip, reason, signal) => repairClip(repairing, clip, reason, signal),
  });
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (cause) {
    await app.close();
    await replica?.close();
    await platform.close();
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const detail = `cannot listen on DOCKSEAL_HOST ${config.host}, DOCKSEAL_PORT ${config.port}: ${reason}`;
    throw new DocksealError("configuration-invalid", { detail, cause });
  }
  const following = Promise.all([
    live.attend(stop),
    listenTo({
      ...{ url: config.databaseUrl, channel: logGrew, signal: stop, onNotice: () => live.wake() },
      onError: (err) => logger.warn({ err }, "the connection that listens for live events broke; it is replaced"),
    }),
  ]);
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
  await following;
  await probing;
  await replica?.close();
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
