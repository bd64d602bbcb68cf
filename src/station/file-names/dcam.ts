import { type FileNameParser, isTime, kindOfExtension } from "./file-name-parser.ts";

/** A recorder app: `DCAM_<cam>_<officer, 6>_yyyyMMdd_HHmmss[_IMP].mp4|jpg|m4a`. */
export const dcam: FileNameParser = {
  name: "dcam",
  parse(fileName) {
    const form = /^DCAM_([0-9A-Za-z-]{1,64})_([0-9A-Za-z]{6})_(\d{8}_\d{6})(_IMP)?\.(?:mp4|jpg|m4a)$/i;
    const [, recorderSerial, collectorNumber, capturedAt, mark] = form.exec(fileName) ?? [];
    if (recorderSerial === undefined || collectorNumber === undefined || capturedAt === undefined) return undefined;
    if (!isTime(capturedAt)) return undefined;
    return { recorderSerial, collectorNumber, capturedAt, important: mark !== undefined, ...kindOfExtension(fileName) };
  },
};
