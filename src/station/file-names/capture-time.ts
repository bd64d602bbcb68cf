import { type FileNameParser, isTime, kindOfExtension } from "./file-name-parser.ts";

/** Alias 文件别名 (wjbm): `yyyyMMddHHmmssSSS.mp4`. */
export const captureTime: FileNameParser = {
  name: "capture-time",
  parse(fileName) {
    const [, capturedAt] = /^(\d{17})\.[0-9A-Za-z]+$/.exec(fileName) ?? [];
    if (capturedAt === undefined || !isTime(capturedAt)) return undefined;
    return { capturedAt, ...kindOfExtension(fileName) };
  },
};
