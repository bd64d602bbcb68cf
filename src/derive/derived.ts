import type { Kind } from "#metadata";
import type { RunResult } from "./confine.ts";
import type { MediaFacts, UnplayableReason } from "./probe.ts";

export type DerivativeRole = "playback" | "poster" | "sprite" | "waveform";

export interface DerivativeFacts {
  readonly width?: number;
  readonly height?: number;
  readonly durationSeconds?: number;
  /** Sprite strip: the grid; tile n shows the moment n × `intervalSeconds`. */
  readonly columns?: number;
  readonly rows?: number;
  readonly tileWidth?: number;
  readonly tileHeight?: number;
  readonly intervalSeconds?: number;
}

export interface Derivative {
  readonly role: DerivativeRole;
  /** A file of this machine under `scratchDir`. */
  readonly path: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
  readonly facts: DerivativeFacts;
  readonly tool: "ffmpeg";
  /** First line of `ffmpeg -version`. */
  readonly toolVersion: string;
  /** As given to the tool; `/in/0` is the original, `/out/…` the derivative. */
  readonly arguments: readonly string[];
  readonly sandbox: RunResult["level"];
}

export interface Derived {
  readonly kind: Kind;
  /** Media type of the original, from its bytes. */
  readonly mediaType: string;
  /** A browser can show it: by its `playback` derivative, or, for a JPEG or PNG photo, as it is. */
  readonly playable: boolean;
  readonly reason?: UnplayableReason;
  readonly facts?: MediaFacts;
  readonly derivatives: readonly Derivative[];
  /** What is wrong with the original: a code, and after a colon what exactly. */
  readonly defects: readonly string[];
}
