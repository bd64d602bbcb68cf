import Type from "typebox";
import { canonicalBytes, DocksealError, type Json } from "#kernel";
import type { ClipMetadata, Kind } from "#metadata";
import { checked } from "#schema";

/** Whole numbers come as numbers or as digits: stations of both habits are in the field. */
const whole = Type.Union([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  Type.String({ pattern: "^\\d{1,15}$" }),
]);
const identifier = Type.String({ pattern: "^[\\x21-\\x7e]{1,64}$" });

/** Number of a file, by its station: it stands in addresses too, so without slashes. */
export const fileNumber = Type.String({ pattern: "^[\\x21-\\x2e\\x30-\\x5b\\x5d-\\x7e]{1,128}$" });

/**
 * The fields of a file record that mean something here. Others are kept as they came, and bind us to nothing: what
 * stands in the field sends more than any list names (docs/adr/0020).
 */
const fileRecordSchema = Type.Object({
  wjbh: fileNumber,
  wjbm: Type.Optional(Type.String({ maxLength: 255 })),
  pssj: Type.String({ minLength: 1, maxLength: 64, pattern: "^[^\\u0000-\\u001f\\u007f]+$" }),
  wjdx: whole,
  wjsc: Type.Optional(
    Type.Union([Type.Number({ minimum: 0, maximum: 31_536_000 }), Type.String({ pattern: "^\\d{0,8}$" })]),
  ),
  wjlx: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 99 }), Type.String({ pattern: "^\\d{0,2}$" })])),
  bzlx: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 99 }), Type.String({ pattern: "^\\d{0,2}$" })])),
  jybh: identifier,
  cpxh: identifier,
  gzz_xh: Type.Optional(Type.String()),
});

const check = checked(fileRecordSchema);
const maximumRecordBytes = 16 * 1024;

/** What a station says of one file (domain of the dialect: 文件记录). */
export interface FileRecord {
  readonly number: string;
  readonly recorderSerial: string;
  readonly collectorNumber: string;
  /** As the station wrote it: wall time without a zone. */
  readonly capturedAt: string;
  readonly sizeBytes: number;
  readonly durationSeconds: number | undefined;
  readonly kind: Kind;
  readonly important: boolean;
  readonly fileName: string;
  /** The station's running number, where the file number has the form that holds one. */
  readonly sequence: number | undefined;
  /** Everything that was said, verbatim. */
  readonly verbatim: Json;
}

/**
 * @param stationNumber of the station that sends it: a record of another station is refused.
 * @throws DocksealError `malformed-field` naming the fields, `body-too-large`.
 */
export function readFileRecord(value: unknown, stationNumber: string): FileRecord {
  const record = check(value);
  if (record.gzz_xh !== undefined && record.gzz_xh !== "" && record.gzz_xh !== stationNumber) {
    throw fieldWrong("gzz_xh", "is another station's number than the one in the address");
  }
  const verbatim = value as Json;
  if (canonicalBytes(verbatim).length > maximumRecordBytes) {
    throw new DocksealError("body-too-large", { detail: `a record has more than ${maximumRecordBytes} bytes` });
  }
  const fileName = record.wjbm === undefined || record.wjbm === "" ? record.wjbh : record.wjbm;
  if (/[\p{Cc}/\\]/u.test(fileName)) throw fieldWrong("wjbm", "holds a folder or a control character");
  return {
    number: record.wjbh,
    recorderSerial: record.cpxh,
    collectorNumber: record.jybh,
    capturedAt: record.pssj,
    sizeBytes: Number(record.wjdx),
    durationSeconds: said(record.wjsc),
    kind: kinds[said(record.wjlx) ?? otherKind] ?? "other",
    important: (said(record.bzlx) ?? 0) !== 0,
    fileName,
    sequence: sequenceOf(record.wjbh),
    verbatim,
  };
}

/** wjlx: 0 video, 1 audio, 2 picture, 3 text, 4 other; the rest is reserved. */
const kinds: readonly Kind[] = ["video", "audio", "photo", "text", "other"];
const otherKind = 4;

/** An empty text says nothing. */
function said(value: string | number | undefined): number | undefined {
  return value === undefined || value === "" ? undefined : Number(value);
}

/** wjbh = domain 8 `_` recorder 20, capture 14, type 2, mark 2, import 14, sequence 4. Other forms hold no sequence that we know. */
function sequenceOf(number: string): number | undefined {
  const digits = /^[\x21-\x7e]{8}_[\x21-\x7e]{20}\d{14}\d{2}\d{2}\d{14}(\d{4})$/.exec(number)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function fieldWrong(field: string, problem: string): DocksealError {
  return new DocksealError("malformed-field", {
    detail: `${field} ${problem}`,
    extra: { errors: [{ field, problem }] },
  });
}

/** The same as the metadata of an upload. `zone` is that of the station's clock, since the record names none. */
export function metadataOf(record: FileRecord, zone: string): ClipMetadata {
  const { recorderSerial, collectorNumber, fileName, sizeBytes, capturedAt, durationSeconds, kind, important } = record;
  return {
    ...{ recorderSerial, collectorNumber, fileName, sizeBytes, capturedAt, capturedAtZone: zone, kind, important },
    ...(durationSeconds === undefined ? {} : { durationSeconds }),
    ...(record.sequence === undefined ? {} : { sequence: record.sequence }),
  };
}
