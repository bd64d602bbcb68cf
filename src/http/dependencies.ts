import type { Logger } from "pino";
import type { LogKey } from "#custody";
import type { Database } from "#db";
import type { IngestDependencies } from "#ingest";
import type { EvidenceStore, WormReport } from "#store";
import type { Metrics } from "./metrics.ts";
import type { UploadsInFlight } from "./uploads-in-flight.ts";

/** Everything that routes work with; made once by the process that serves. */
export interface HttpDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly storeUrl: string;
  readonly logKey: LogKey;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly uploads: UploadsInFlight;
  readonly limits: IngestDependencies["limits"];
  readonly trustProxy: string[] | undefined;
  readonly secureCookies: boolean;
  readonly sessionHours: number;
  /** What the last write-once probe of the store found; undefined while the first one runs. */
  readonly wormReport: () => WormReport | undefined;
}
