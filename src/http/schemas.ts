import Type, { type TSchema } from "typebox";

export const uuid = Type.String({ pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" });
export const line = (maximum: number) =>
  Type.String({ minLength: 1, maxLength: maximum, pattern: "^[^\\u0000-\\u001f\\u007f]+$" });
export const nullable = <const S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

export const strict = { additionalProperties: false } as const;
export const idParams = Type.Object({ id: uuid }, strict);

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
    stationId: uuid,
    recorderSerial: Type.String(),
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
    playable: nullable(Type.Boolean({ description: "null until the clip was examined" })),
    unplayableReason: nullable(Type.String()),
  },
  { description: "A clip 视音频文件" },
);

export const derivative = Type.Object({
  role: Type.String({ enum: ["playback", "poster", "sprite", "waveform"] }),
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
    madeBy: Type.String(),
    createdAt: instant,
  },
  { description: "One revision of a binding 绑定" },
);

export const caseFile = Type.Object(
  { id: uuid, organizationId: uuid, number: Type.String(), title: nullable(Type.String()), createdAt: instant },
  { description: "A case 案件" },
);

export const station = Type.Object(
  { id: uuid, organizationId: uuid, number: Type.String(), name: Type.String() },
  { description: "A docking station 采集站" },
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
