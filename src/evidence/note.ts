import { sign, verify } from "node:crypto";
import { readCosignature } from "./cosignature.ts";
import { type NoteSigner, parseVkey } from "./note-key.ts";
import { formatSignature, type NoteSignature, parseSignature } from "./note-signature.ts";
import { malformed, rejected } from "./refuse.ts";

// C2SP signed-note (https://c2sp.org/signed-note), with the Ed25519 signatures that it defines itself and those of C2SP
// tlog-cosignature.

/** The specification wants at least 16 signatures accepted, and some limit. */
const MAX_SIGNATURES = 100;
const MAX_NOTE_BYTES = 1_000_000;

export interface SignedNote {
  /** The signed text, with its final newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A witness's statement that holds. */
export interface OpenedCosignature {
  /** Text form of the given key that made it. */
  readonly vkey: string;
  readonly name: string;
  /** When it was made, by the witness's clock: seconds since 1970. The latest when the key signed twice. */
  readonly time: number;
}

/** What holds under the given keys. `verifiedBy` and `cosignedBy` are never both empty. */
export interface OpenedNote {
  readonly text: string;
  /** Names of the given keys of type `note` whose signatures hold, each once. */
  readonly verifiedBy: readonly string[];
  /** Cosignatures of the given keys of type `cosignature`, one a key. */
  readonly cosignedBy: readonly OpenedCosignature[];
}

/**
 * @param text ends in a newline and holds no other control character.
 * @param signers of type `note`: a witness signs with {@link cosign} alone.
 */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  requireText(text);
  const lines = signers.map((signer) => {
    if (signer.type !== "note") throw malformed("note: a cosignature key does not sign the text itself");
    return formatSignature(signer, sign(null, Buffer.from(text), signer.key));
  });
  const note = `${text}\n${lines.join("")}`;
  parseNote(note);
  return note;
}

/** Takes a note apart without checking any signature: the text must not be believed yet. */
export function parseNote(note: string): SignedNote {
  if (Buffer.byteLength(note) > MAX_NOTE_BYTES) throw malformed("note: too long");
  const blank = note.lastIndexOf("\n\n");
  if (blank === -1 || !note.endsWith("\n")) throw malformed("note: no blank line before the signatures");
  const text = note.slice(0, blank + 1);
  requireText(text);
  const lines = note.slice(blank + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw malformed("note: too many signatures");
  return { text, signatures: lines.map(parseSignature) };
}

/**
 * Checks a note against known keys, each by the rule of its type. Signatures of other keys are passed over, as the
 * specification demands.
 * @param vkeys text forms of the keys to believe.
 * @throws DocksealError malformed-proof (not a note, not a key), proof-rejected (a known key's signature is wrong, or
 *   no known key signed).
 */
export function openNote(note: string, vkeys: readonly string[]): OpenedNote {
  const verifiers = vkeys.map((vkey) => ({ vkey, ...parseVkey(vkey) }));
  const { text, signatures } = parseNote(note);
  const verifiedBy = new Set<string>();
  const cosignedBy = new Map<string, OpenedCosignature>();
  for (const { name, id, signature } of signatures) {
    const known = verifiers.find((verifier) => verifier.name === name && verifier.id.equals(id));
    if (known === undefined) continue;
    const { type, vkey, key } = known;
    if (type === "note") {
      if (!verify(null, Buffer.from(text), key, signature)) throw rejected(`note: the signature of ${name} is wrong`);
      verifiedBy.add(name);
    } else {
      const time = readCosignature(text, key, signature);
      if (time === undefined) throw rejected(`note: the cosignature of ${name} is wrong`);
      cosignedBy.set(vkey, { vkey, name, time: Math.max(time, cosignedBy.get(vkey)?.time ?? 0) });
    }
  }
  if (verifiedBy.size + cosignedBy.size === 0) throw rejected("note: not signed by a key that is known here");
  return { text, verifiedBy: [...verifiedBy], cosignedBy: [...cosignedBy.values()] };
}

/**
 * The same note with the signatures of these keys alone: what is kept of a note that a stranger brought, who may have
 * added lines to it.
 * @throws DocksealError as {@link openNote}.
 */
export function signedByThese(note: string, vkeys: readonly string[]): string {
  openNote(note, vkeys);
  const known = vkeys.map(parseVkey);
  const { text, signatures } = parseNote(note);
  const lines = signatures
    .filter(({ name, id }) => known.some((verifier) => verifier.name === name && verifier.id.equals(id)))
    .map((line) => formatSignature(line, line.signature));
  return `${text}\n${[...new Set(lines)].join("")}`;
}

function requireText(text: string): void {
  if (!text.endsWith("\n")) throw malformed("note: the text does not end in a newline");
  const control = [...text].some((character) => character < " " && character !== "\n");
  if (control || !text.isWellFormed()) throw malformed("note: the text holds a control character or no Unicode");
}
