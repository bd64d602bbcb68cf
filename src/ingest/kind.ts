import { extname } from "node:path";
import { fileTypeFromBuffer } from "file-type";
import type { Kind } from "#metadata";

/** The containers that are handed to ffmpeg at all, each by the name of the one demuxer that may open it. */
export type Container =
  | "mov"
  | "avi"
  | "mpeg"
  | "mpegts"
  | "matroska"
  | "flv"
  | "asf"
  | "dhav"
  | "wav"
  | "amr"
  | "mp3"
  | "aac"
  | "flac"
  | "ogg"
  | "jpeg_pipe"
  | "png_pipe"
  | "bmp_pipe";

export interface FileKind {
  readonly kind: Kind;
  /** IANA media type (or the customary one) of the bytes. */
  readonly mediaType: string;
  /** Absent: no media tool may open it. */
  readonly container?: Container;
}

/** How many of the first bytes {@link kindOf} wants to see. */
export const magicBytes = 4100;

/**
 * What a file is, from its first bytes; its name only chooses between kinds of plain text. A playlist that is called
 * `.mp4` is text, and a recording that is called `.txt` is a recording.
 */
export async function kindOf(head: Uint8Array, fileName: string): Promise<FileKind> {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, magicBytes));
  const media = mediaOf(bytes);
  if (media !== undefined) return media;
  const known = await fileTypeFromBuffer(bytes);
  if (known !== undefined) return { kind: kindOfMediaType(known.mime), mediaType: known.mime };
  if (!isText(bytes)) return { kind: "other", mediaType: "application/octet-stream" };
  return { kind: "text", mediaType: textTypes[extname(fileName).toLowerCase()] ?? "text/plain" };
}

/** Our own table: a demuxer is chosen by the bytes here, never by ffmpeg's guessing, which a hostile file can lead. */
function mediaOf(bytes: Buffer): FileKind | undefined {
  const at = (offset: number, length: number) => bytes.toString("latin1", offset, offset + length);
  const video = (mediaType: string, container: Container): FileKind => ({ kind: "video", mediaType, container });
  const audio = (mediaType: string, container: Container): FileKind => ({ kind: "audio", mediaType, container });
  const photo = (mediaType: string, container: Container): FileKind => ({ kind: "photo", mediaType, container });

  // ISO/IEC 14496-12 §4.2: size, then type. Recorders write `mdat` or `free` first as often as `ftyp`.
  if (/^(?:ftyp|moov|mdat|free|skip|wide|pnot|styp|moof|sidx)$/.test(at(4, 4))) {
    const brand = at(4, 4) === "ftyp" ? at(8, 4) : "";
    if (/^M4[AB] /.test(brand)) return audio("audio/mp4", "mov");
    if (/^(?:hei|hev|mif1|msf1|avi[fs])/.test(brand)) return { kind: "photo", mediaType: "image/heif" };
    if (brand.startsWith("3g")) return video("video/3gpp", "mov");
    return video(brand === "qt  " || brand === "" ? "video/quicktime" : "video/mp4", "mov");
  }
  if (at(0, 4) === "RIFF" && at(8, 4) === "AVI ") return video("video/vnd.avi", "avi");
  if (/^(?:RIFF|RF64|BW64)$/.test(at(0, 4)) && at(8, 4) === "WAVE") return audio("audio/wav", "wav");
  if (at(0, 4) === "\x1aE\xdf\xa3") return video("video/matroska", "matroska");
  // ISO/IEC 13818-1: a pack header, also behind the 40 bytes that Hikvision puts before it; 0x47 every 188 bytes
  // (192 with a time code before each packet).
  if (at(0, 4) === "\0\0\x01\xba" || at(0, 4) === "IMKH") return video("video/mpeg", "mpeg");
  if (bytes.length > 576 && [0, 188, 376].every((offset) => bytes[offset] === 0x47))
    return video("video/mp2t", "mpegts");
  if (bytes.length > 576 && [4, 196, 388].every((offset) => bytes[offset] === 0x47))
    return video("video/mp2t", "mpegts");
  if (at(0, 4) === "FLV\x01") return video("video/x-flv", "flv");
  if (at(0, 8) === "0&\xb2u\x8ef\xcf\x11") return video("video/x-ms-asf", "asf");
  if (at(0, 4) === "DHAV") return video("video/x-dhav", "dhav");
  if (/^#!AMR(?:-WB)?\n/.test(at(0, 9))) return audio(at(5, 1) === "-" ? "audio/amr-wb" : "audio/amr", "amr");
  if (at(0, 4) === "fLaC") return audio("audio/flac", "flac");
  if (at(0, 4) === "OggS") return audio("audio/ogg", "ogg");
  if (at(0, 3) === "\xff\xd8\xff") return photo("image/jpeg", "jpeg_pipe");
  if (at(0, 8) === "\x89PNG\r\n\x1a\n") return photo("image/png", "png_pipe");
  if (at(0, 2) === "BM" && bytes.length > 26 && bytes.readUInt32LE(6) === 0) return photo("image/bmp", "bmp_pipe");
  // Twelve or eleven set bits: ADTS has layer 0 (ISO/IEC 13818-7 §6.2), MPEG audio has not (ISO/IEC 11172-3 §2.4.1.3).
  if (at(0, 3) === "ID3") return audio("audio/mpeg", "mp3");
  const [first = 0, second = 0] = bytes;
  if (first === 0xff && (second & 0xf6) === 0xf0) return audio("audio/aac", "aac");
  if (first === 0xff && (second & 0xe0) === 0xe0 && (second & 0x06) !== 0) return audio("audio/mpeg", "mp3");
  return undefined;
}

const textTypes: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".json": "application/json",
  ".xml": "application/xml",
};

function kindOfMediaType(mediaType: string): Kind {
  const [top] = mediaType.split("/");
  if (top === "video" || top === "audio" || top === "text") return top;
  if (top === "image") return "photo";
  return /pdf|rtf|xml|json|word|officedocument|opendocument|x-cfb/.test(mediaType) ? "text" : "other";
}

/** Records are typed in UTF-8 or, on older machines in China, GB 18030. Control characters are in neither. */
function isText(bytes: Buffer): boolean {
  if (bytes.length === 0) return false;
  for (const byte of bytes)
    if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d && byte !== 0x0c) return false;
  return ["utf-8", "gb18030"].some((encoding) => {
    try {
      // A stream, because the last character of the sample may be cut.
      new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: true });
      return true;
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    }
  });
}
