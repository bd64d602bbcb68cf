import Type, { type TSchema } from "typebox";

export const uuid = Type.String({ pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" });
export const line = (maximum: number) =>
  Type.String({ minLength: 1, maxLength: maximum, pattern: "^[^\\u0000-\\u001f\\u007f]+$" });
export const nullable = <const S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

export const strict = { additionalProperties: false } as const;
export const idParams = Type.Object({ id: uuid }, strict);

/** What every list that goes page by page is asked for. */
export const pageQuery = {
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
};
/** A page of such a list. */
export const pageSchema = <const S extends TSchema>(item: S) =>
  Type.Object({
    items: Type.Array(item),
    next: Type.Optional(Type.String({ description: "cursor of the next page" })),
  });

const instant = Type.String({ description: "RFC 3339, UTC" });
const hex = Type.String({ pattern: "^[0-9a-f]{64}$" });

/** RFC 9457. */
export const problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.Optional(Type.String()),
    advice: Type.String({ description: "What to do" }),
    requestId: Type.String(),
  },
  { description: "Problem document (RFC 9457)" },
);

export const clip = Type.Object(
  {
    id: uuid,
    organizationId: uuid,
    stationId: nullable({ ...uuid, description: "null: a person added it" }),
    recorderSerial: nullable(Type.String({ description: "null: a person added it" })),
    source: Type.String({
      enum: ["station", "gateway", "person"],
      description:
        "How it came in. `person`: as a document that a person added to a case. `station`: with a station's own token. `gateway`: by the dialect of older stations, with weak authentication: a shared key in the query string, and no digest made at the source",
    }),
    state: Type.String({ enum: ["received", "hashed", "sealed", "quarantined"] }),
    kind: Type.String({ enum: ["video", "audio", "photo", "text", "other"] }),
    fileName: Type.String(),
    mediaType: Type.String(),
    sizeBytes: Type.Integer(),
    sha256: hex,
    sm3: nullable(hex),
    chunkRoot: nullable(hex),
    collectorNumber: Type.String(),
    capturedAtRaw: Type.String({ description: "As the source said it" }),
    capturedAt: nullable(instant),
    important: Type.Boolean(),
    caseNumber: nullable(Type.String()),
    evidencePurpose: nullable(Type.String()),
    stage: nullable(Type.String()),
    placeText: nullable(Type.String()),
    receivedAt: instant,
    sealedAt: nullable(instant),
    retainedUntil: nullable(instant),
    quarantineReason: nullable(Type.String()),
    incompleteSource: Type.Boolean({
      description: "The card could not be read whole: `metadata.unreadableRanges` were sent as zeros",
    }),
    playable: nullable(Type.Boolean({ description: "null until the clip was examined" })),
    unplayableReason: nullable(Type.String()),
  },
  { description: "A clip 视音频文件" },
);

export const pendingStep = Type.Object(
  {
    step: Type.String({ enum: ["hash", "timestamp", "transcode", "bind"] }),
    since: instant,
    tries: Type.Integer({ description: "How often it was tried and failed" }),
    lastError: nullable(Type.String({ description: "Why, the last time" })),
  },
  { description: "A step that is not done yet; it is tried until it is" },
);

export const derivative = Type.Object({
  role: Type.String({ enum: ["playback", "poster", "sprite", "waveform"] }),
  revision: Type.Integer({ description: "2 and more: made anew because what was stored was damaged" }),
  mediaType: Type.String(),
  sizeBytes: Type.Integer(),
  sha256: hex,
  originalSha256: hex,
  facts: Type.Unknown(),
  tool: Type.String(),
  toolVersion: Type.String(),
  arguments: Type.Unknown(),
  sandboxLevel: Type.String(),
  createdAt: instant,
});

export const repair = Type.Object(
  {
    generation: Type.Integer(),
    copiedFrom: Type.String({ description: "Store that the good copy was in" }),
    reason: Type.String(),
    eventId: uuid,
    repairedAt: instant,
  },
  { description: "A repair: digests and receipts are what they were" },
);

const count = Type.Integer({ minimum: 0 });
export const auditRun = Type.Object(
  {
    id: uuid,
    kind: Type.String({ enum: ["cycle", "sample", "manual"] }),
    state: Type.String({
      enum: ["waiting", "running", "finished", "failed"],
      description:
        "`waiting`: a sample without a checkpoint that is timestamped or witnessed yet. `failed`: not as many were read as were expected",
    }),
    caseId: nullable(uuid),
    day: nullable(Type.String({ description: "Of a sample, UTC" })),
    createdAt: instant,
    startedAt: nullable(instant),
    finishedAt: nullable(instant),
    dueAt: instant,
    logSize: nullable(Type.Integer({ description: "What was sealed below this size of the log is read" })),
    expectedCount: nullable(count),
    expectedBytes: nullable(count),
    readCount: count,
    readBytes: count,
    intactCount: count,
    repairedCount: count,
    damagedCount: count,
    missingCount: count,
    unlockedCount: count,
    unreadableCount: count,
    seed: nullable(hex),
    checkpointSize: nullable(Type.Integer()),
    checkpointFixedBy: nullable(Type.String({ enum: ["timestamp", "witnesses"] })),
    failure: nullable(Type.String()),
  },
  { description: "A fixity audit 完整性巡检" },
);

export const binding = Type.Object(
  {
    id: uuid,
    revision: Type.Integer(),
    clipId: uuid,
    caseId: uuid,
    withdrawn: Type.Boolean(),
    capturedAt: Type.String(),
    capturePlace: Type.String(),
    collectorNumber: Type.String(),
    evidencePurpose: Type.String(),
    stage: nullable(Type.String()),
    reason: nullable(Type.String()),
    madeBy: Type.String({ description: "`person:<id>`, or `system:bind` where the upload named case and purpose" }),
    madeByName: nullable(Type.String({ description: "Of the person" })),
    createdAt: instant,
  },
  { description: "One revision of a binding 绑定" },
);

export const caseFile = Type.Object(
  { id: uuid, organizationId: uuid, number: Type.String(), title: nullable(Type.String()), createdAt: instant },
  { description: "A case 案件" },
);

const progress = Type.Object({
  done: Type.Integer(),
  total: nullable(Type.Integer({ description: "null until the work began" })),
});

export const exportJob = Type.Object(
  {
    id: uuid,
    state: Type.String({ enum: ["pending", "running", "done", "failed"] }),
    caseId: nullable(uuid),
    clipId: nullable(uuid),
    requestedBy: Type.Object({ id: uuid, name: Type.String() }),
    requestedAt: instant,
    finishedAt: nullable(instant),
    removedAt: nullable(Type.String({ description: "When the bag was removed again (RFC 3339, UTC)" })),
    files: progress,
    bytes: progress,
    problem: nullable(
      Type.Object(
        { code: Type.String(), title: Type.String(), detail: nullable(Type.String()), advice: Type.String() },
        { description: "Why it failed, or what stopped the last try" },
      ),
    ),
    name: nullable(Type.String({ description: "File name of the tar" })),
    sizeBytes: nullable(Type.Integer()),
    sha256: nullable(hex),
    tagManifestSha256: nullable(hex),
  },
  { description: "An export 导出; files and bytes count recordings and their playable copies" },
);

export const station = Type.Object(
  { id: uuid, organizationId: uuid, number: Type.String(), name: Type.String() },
  { description: "A docking station 采集站" },
);

export const gatewayStanding = Type.Object(
  {
    authentication: Type.String({
      enum: ["weak"],
      description: "A shared key in the query string, from these addresses only",
    }),
    addresses: Type.Array(Type.String()),
    lastSeenAt: nullable(Type.String({ description: "Last heartbeat (RFC 3339, UTC)" })),
    totalMib: nullable(Type.Integer()),
    freeMib: nullable(Type.Integer()),
    raidState: nullable(Type.String({ description: "raid_zt, as the station said it" })),
    alarmType: nullable(Type.String({ description: "bjlx, as the station said it; 0: none" })),
    version: nullable(Type.String()),
  },
  { description: "How a station stands that comes in through the gateway (docs/gateway.md)" },
);

export const person = Type.Object({
  id: uuid,
  organizationId: uuid,
  signInName: Type.String(),
  displayName: Type.String(),
  role: Type.Enum(["handler", "supervisor", "auditor", "administrator"]),
});

/** How a route says who may call it, for the OpenAPI document. */
type Security = { [scheme: string]: string[] }[];
export const asStation: Security = [{ station: [] }];
export const asPerson: Security = [{ session: [] }];
export const asEither: Security = [{ station: [] }, { session: [] }];
