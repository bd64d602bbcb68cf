import ffmpeg from "fluent-ffmpeg";
import type { Container } from "#ingest";

/**
 * The one file that may import fluent-ffmpeg (archived upstream since May 2025): it puts argument lists together and
 * is never let near a process; src/derive/sandbox.ts runs them.
 */
export interface Command {
  /** Neutral path of the input inside the sandbox. */
  readonly input: string;
  readonly inputOptions: readonly string[];
  readonly videoFilters?: readonly string[];
  readonly outputOptions: readonly string[];
  /** Neutral path inside the sandbox, `pipe:1`, or `-` for nowhere. */
  readonly output: string;
}

/**
 * Decoders that recorders, telephones and docking stations give work to, by ffmpeg's names. No other decoder can be
 * reached by a hostile file: most holes of ffmpeg were found in decoders that nobody needs (CVE-2026-8461, …).
 */
const decoders = [
  ...["h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "h263", "mjpeg", "png", "bmp"],
  ...["aac", "mp3float", "mp3", "mp2float", "mp2", "amrnb", "amrwb", "flac", "opus", "vorbis"],
  ...["pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s32le", "pcm_f32le"],
  ...["adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms", "g726", "g726le", "mov_text"],
];

/** Options before `-i` for every run of ffmpeg and ffprobe: one demuxer, few decoders, files alone. */
export function guardedInput(container: Container): string[] {
  const own = ["-protocol_whitelist", "file", "-format_whitelist", container, "-codec_whitelist", decoders.join(",")];
  return [...own, "-f", container];
}

/** The argument list of a command, with the options that every run has: no console, errors only. */
export function argumentsOf(command: Command): string[] {
  const built = ffmpeg(command.input);
  give(command.inputOptions, (...options) => built.inputOptions(...options));
  if (command.videoFilters !== undefined && command.videoFilters.length > 0)
    built.videoFilters([...command.videoFilters]);
  built.output(command.output);
  give(command.outputOptions, (...options) => built.outputOptions(...options));
  return ["-hide_banner", "-nostdin", "-v", "error", ...built._getArguments()];
}

/** fluent-ffmpeg splits a lone option at its space; several at once it leaves as they are. */
function give(options: readonly string[], take: (...options: string[]) => unknown): void {
  if (options.length === 1) throw new Error(`an option and its value are given together: ${options[0]}`);
  if (options.length > 0) take(...options);
}
