import type { KeyObject } from "node:crypto";
import type { Logger } from "pino";
import type { LogKey } from "#custody";
import type { Database } from "#db";
import type { HeartbeatLimits } from "#gateway";
import type { IngestDependencies } from "#ingest";
import type { SealDependencies } from "#seal";
import type { EvidenceStore, WormReport } from "#store";
import type { LiveClips } from "./live/live-clips.ts";
import type { Metrics } from "./metrics.ts";
import type { UploadsInFlight } from "./uploads-in-flight.ts";

/** Everything that routes work with; made once by the process that serves. */
export interface HttpDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  readonly storeUrl: string;
  readonly logKey: LogKey;
  /** Signs tree heads for programs of RFC 6962 (ECDSA P-256). */
  readonly treeHeadKey: KeyObject;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly uploads: UploadsInFlight;
  readonly live: LiveClips;
  readonly limits: IngestDependencies["limits"];
  readonly trustProxy: string[] | undefined;
  readonly secureCookies: boolean;
  readonly sessionHours: number;
  /** What the last write-once probe of the store found; undefined while the first one runs. */
  readonly wormReport: () => WormReport | undefined;
  /** Undefined: `/v3/**` is not there. */
  readonly gateway: GatewaySettings | undefined;
  /** Everything is audited within so many days. */
  readonly auditDays: number;
  /** Puts damaged bytes right from the replica. */
  readonly repair: NonNullable<SealDependencies["repair"]>;
}

/** Settings of the gateway for stations already in the field. */
export interface GatewaySettings extends HeartbeatLimits {
  /** Of one station, and of refused requests of one address, in this process. */
  readonly requestsPerMinute: number;
}
