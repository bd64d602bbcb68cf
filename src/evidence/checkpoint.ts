import { decodeDecimal, decodeHash } from "./encoding.ts";
import { HASH_BYTES } from "./merkle.ts";
import { type OpenedCosignature, openNote, signNote } from "./note.ts";
import type { NoteSigner } from "./note-key.ts";
import { malformed, rejected } from "./refuse.ts";

/** Head of a log: C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint). */
export interface Checkpoint {
  /** Identity of the log, e.g. `records.example.gov/log`. */
  readonly origin: string;
  /** Number of leaves. */
  readonly size: number;
  /** RFC 6962 root, 32 bytes. */
  readonly root: Buffer;
  /** Further lines, opaque; the specification advises against them. */
  readonly extensions: readonly string[];
}

export interface OpenedCheckpoint extends Checkpoint {
  /** Names of the keys whose signatures hold; the log's own, which is its origin, is among them. */
  readonly verifiedBy: readonly string[];
  /** Witnesses whose cosignatures hold. */
  readonly cosignedBy: readonly OpenedCosignature[];
}

/** The note's text. @throws DocksealError malformed-proof when it would not parse. */
export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  if (root.length !== HASH_BYTES) throw malformed("checkpoint: the root is not 32 bytes");
  const text = `${[origin, size, root.toString("base64"), ...extensions].join("\n")}\n`;
  parseCheckpoint(text);
  return text;
}

/** @param text of the note, without signatures: it must not be believed yet. */
export function parseCheckpoint(text: string): Checkpoint {
  if (!text.endsWith("\n")) throw malformed("checkpoint: does not end in a newline");
  const lines = text.slice(0, -1).split("\n");
  const [origin, size, root, ...extensions] = lines;
  if (origin === undefined || size === undefined || root === undefined || lines.includes("")) {
    throw malformed("checkpoint: fewer than three lines, or an empty one");
  }
  return {
    origin,
    size: decodeDecimal(size, "checkpoint: the size"),
    root: decodeHash(root, "checkpoint: the root"),
    extensions,
  };
}

/** @returns the signed note. The first signer is the log, and its name is the origin. */
export function signCheckpoint(checkpoint: Checkpoint, signers: readonly NoteSigner[]): string {
  return signNote(formatCheckpoint(checkpoint), signers);
}

/**
 * Checks signatures, then reads. One of the keys that signed must bear the origin as its name, as C2SP tlog-checkpoint
 * advises and dockseal's logs do, and be of type `note`: a witness alone, whatever its name, cannot speak for a log.
 * @param vkeys keys to believe, of logs and witnesses.
 * @param origin when given, only that log's checkpoint will do.
 * @throws DocksealError malformed-proof, proof-rejected.
 */
export function openCheckpoint(note: string, vkeys: readonly string[], origin?: string): OpenedCheckpoint {
  const { text, verifiedBy, cosignedBy } = openNote(note, vkeys);
  const checkpoint = parseCheckpoint(text);
  if (origin !== undefined && checkpoint.origin !== origin) throw rejected("checkpoint: of another log");
  if (!verifiedBy.includes(checkpoint.origin)) throw rejected("checkpoint: not signed by the log named in it");
  return { ...checkpoint, verifiedBy, cosignedBy };
}
