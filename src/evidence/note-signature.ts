import { decodeBase64 } from "./encoding.ts";
import { type NoteVerifier, requireName } from "./note-key.ts";
import { malformed } from "./refuse.ts";

const EM_DASH = "\u2014";

/** A signature line of a note (C2SP signed-note, "Format"), not checked against any key. */
export interface NoteSignature {
  readonly name: string;
  readonly id: Buffer;
  readonly signature: Buffer;
}

/** A line of a note's signatures, with its newline. */
export function formatSignature({ name, id }: Pick<NoteVerifier, "name" | "id">, signature: Uint8Array): string {
  return `${EM_DASH} ${name} ${Buffer.concat([id, signature]).toString("base64")}\n`;
}

/** @param line without its newline. */
export function parseSignature(line: string): NoteSignature {
  const [dash, name = "", encoded = "", ...rest] = line.split(" ");
  if (dash !== EM_DASH || rest.length > 0) throw malformed("note: a signature line is not of its form");
  requireName(name);
  const bytes = decodeBase64(encoded, "note: a signature");
  if (bytes.length < 5) throw malformed("note: a signature is too short");
  return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}
