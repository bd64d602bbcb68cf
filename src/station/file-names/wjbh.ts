import { type FileNameParser, isTime, kindOfExtension } from "./file-name-parser.ts";

/**
 * File number 文件编号 (wjbh) of GA/T 947-style stations: domain (8) `_` recorder (20), capture time (14), type (2),
 * mark (2), time of import (14), sequence (4).
 */
export const wjbh: FileNameParser = {
  name: "wjbh",
  parse(fileName) {
    const form = /^[0-9A-Za-z]{8}_([0-9A-Za-z]{20})(\d{14})(\d{2})(\d{2})(\d{14})(\d{4})(?:\.[0-9A-Za-z]+)?$/;
    const [, recorderSerial, capturedAt, type, mark, importedAt, sequence] = form.exec(fileName) ?? [];
    if (recorderSerial === undefined || capturedAt === undefined || importedAt === undefined) return undefined;
    if (!isTime(capturedAt) || !isTime(importedAt)) return undefined;
    const kind = types[Number(type)];
    return {
      recorderSerial,
      capturedAt,
      ...(kind === undefined ? kindOfExtension(fileName) : { kind }),
      important: Number(mark) === 1,
      sequence: Number(sequence),
    };
  },
};

/** wjlx */
const types = ["video", "audio", "photo", "text", "other"] as const;
