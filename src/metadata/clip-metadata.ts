import Type, { type Static } from "typebox";
import { DocksealError } from "#kernel";
import { checked } from "#schema";

const line = (maximum: number) =>
  Type.String({ minLength: 1, maxLength: maximum, pattern: "^[^\\u0000-\\u001f\\u007f]+$" });
const digest = Type.String({ pattern: "^[0-9a-f]{64}$" });

export const kinds = ["video", "audio", "photo", "text", "other"] as const;
export type Kind = (typeof kinds)[number];

/** What a station says about a recording: the field `metadata` of an upload. */
export const metadataSchema = Type.Object(
  {
    recorderSerial: Type.String({
      pattern: "^[\\x21-\\x7e]{1,64}$",
      description: "Serial of the body camera (cpxh), printable ASCII.",
    }),
    collectorNumber: Type.String({
      pattern: "^[\\x21-\\x7e]{1,64}$",
      description: "Certificate number of the person who recorded (执法证号, jybh).",
    }),
    fileName: Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: "^[^\\u0000-\\u001f\\u007f/\\\\]+$",
      description: "Name on the card, without folders.",
    }),
    sizeBytes: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: "Length of the file. With it the bytes stream straight into the store.",
      }),
    ),
    capturedAt: {
      ...line(64),
      description: "Beginning of the recording exactly as the source says it; never rewritten.",
    },
    capturedAtSource: Type.Optional(
      Type.Enum(["recorder", "file-name", "file-time", "container", "person"], {
        description: "Where `capturedAt` was read.",
      }),
    ),
    capturedAtZone: Type.Optional(
      Type.String({
        pattern: "^([+-]\\d{2}:\\d{2}|Z|[A-Za-z]+(/[A-Za-z0-9_+-]+){0,2})$",
        description: "Zone of `capturedAt` when it names none: an offset (+08:00) or an IANA name (Asia/Shanghai).",
      }),
    ),
    durationSeconds: Type.Optional(Type.Number({ minimum: 0, maximum: 31_536_000 })),
    kind: Type.Optional(Type.Enum([...kinds])),
    important: Type.Optional(Type.Boolean({ description: "Marked as important on the recorder (bzlx)." })),
    sequence: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 2_147_483_647, description: "The recorder's own running number." }),
    ),
    clockOffsetMs: Type.Optional(
      Type.Integer({
        minimum: -Number.MAX_SAFE_INTEGER,
        maximum: Number.MAX_SAFE_INTEGER,
        description: "Recorder clock minus right time, as the station measured both at docking.",
      }),
    ),
    clockUncertaintyMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: "How far `clockOffsetMs` may be off to either side.",
      }),
    ),
    interruptionReason: Type.Optional(line(500)),
    unreadableRanges: Type.Optional(
      Type.Array(
        Type.Object(
          {
            offset: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
            length: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
          },
          { additionalProperties: false },
        ),
        {
          minItems: 1,
          maxItems: 1000,
          description:
            "Bytes that could not be read from the card, in ascending order. They were sent as zeros: the source is incomplete.",
        },
      ),
    ),
    place: Type.Optional(
      Type.Object(
        {
          text: Type.Optional(line(500)),
          lat: Type.Optional(Type.Number({ minimum: -90, maximum: 90 })),
          lon: Type.Optional(Type.Number({ minimum: -180, maximum: 180 })),
        },
        { additionalProperties: false, description: "Place of capture; degrees in WGS 84." },
      ),
    ),
    caseNumber: Type.Optional(line(100)),
    evidencePurpose: Type.Optional(line(1000)),
    stage: Type.Optional(line(100)),
    digest: Type.Optional(
      Type.Object(
        { sha256: Type.Optional(digest), sm3: Type.Optional(digest) },
        { additionalProperties: false, description: "Digests of the file, lower-case hex, made before it was sent." },
      ),
    ),
  },
  { additionalProperties: false },
);

export type ClipMetadata = Static<typeof metadataSchema>;

/** What a person says about a document that is added to a case: the same words, and no recorder. */
export const documentSchema = Type.Object(
  {
    fileName: metadataSchema.properties.fileName,
    sizeBytes: metadataSchema.properties.sizeBytes,
    collectorNumber: { ...line(64), description: "Certificate number or name of the person who made it (采集人)." },
    capturedAt: { ...line(64), description: "When it was made, as the person says it; never rewritten." },
    capturedAtZone: metadataSchema.properties.capturedAtZone,
    place: Type.Object({ text: line(500) }, { additionalProperties: false }),
    evidencePurpose: line(1000),
    stage: Type.Optional(line(100)),
    digest: metadataSchema.properties.digest,
  },
  { additionalProperties: false },
);

export type DocumentMetadata = Static<typeof documentSchema>;

const check = checked(metadataSchema);
const checkDocument = checked(documentSchema);

/** Most bytes of the field `metadata`. */
export const maximumMetadataBytes = 64 * 1024;

/**
 * Reads the field `metadata`.
 * @throws DocksealError `malformed-request` when it is no JSON, `malformed-field` or `unknown-field` naming the fields.
 */
export function parseMetadata(text: string): ClipMetadata {
  return check(jsonOf(text));
}

/** As {@link parseMetadata}, for a document. */
export function parseDocumentMetadata(text: string): DocumentMetadata {
  return checkDocument(jsonOf(text));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DocksealError("malformed-request", {
      detail: `metadata is not JSON: ${(error as Error).message}`,
      cause: error,
    });
  }
}
