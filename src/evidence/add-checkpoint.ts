import { parseCheckpoint } from "./checkpoint.ts";
import { decodeDecimal, decodeHash, decodeUtf8 } from "./encoding.ts";
import { openNote, parseNote } from "./note.ts";
import { parseVkey } from "./note-key.ts";
import { formatSignature } from "./note-signature.ts";
import { malformed } from "./refuse.ts";

// What a log and a witness say to each other: C2SP tlog-witness (https://c2sp.org/tlog-witness), `add-checkpoint`.

/** "The client MUST NOT send more than 63 consistency proof lines." */
const MAX_HASHES = 63;

export interface AddCheckpoint {
  /** Size of the log that the witness cosigned last; 0 when it never did. */
  readonly oldSize: number;
  /** Consistency proof from the old size to the checkpoint's (RFC 6962 §2.1.2), 32 bytes each. */
  readonly proof: readonly Buffer[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

/** Body of the request. @throws DocksealError malformed-proof when it would not parse. */
export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  const body = `${[`old ${oldSize}`, ...proof.map((hash) => hash.toString("base64"))].join("\n")}\n\n${checkpoint}`;
  parseAddCheckpoint(Buffer.from(body));
  return body;
}

/** Takes a request apart; the checkpoint is of its form, but no signature was checked. @throws DocksealError malformed-proof. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint {
  const text = decodeUtf8(body, "add-checkpoint: the body");
  const end = text.indexOf("\n\n");
  if (end === -1) throw malformed("add-checkpoint: no empty line before the checkpoint");
  const [old = "", ...hashes] = text.slice(0, end).split("\n");
  if (!old.startsWith("old ")) throw malformed("add-checkpoint: does not begin with the old size");
  if (hashes.length > MAX_HASHES) throw malformed("add-checkpoint: more than 63 hashes");
  const checkpoint = text.slice(end + 2);
  parseCheckpoint(parseNote(checkpoint).text);
  return {
    oldSize: decodeDecimal(old.slice("old ".length), "add-checkpoint: the old size"),
    proof: hashes.map((hash) => decodeHash(hash, "add-checkpoint: a hash")),
    checkpoint,
  };
}

/**
 * The cosignature of one witness in the answer to a request. Lines of other keys are ignored, as the specification
 * demands; of several by this key the last one is taken.
 * @param text of the checkpoint that was sent, without signatures.
 * @param vkey the witness's.
 * @returns the signature line, with its newline.
 * @throws DocksealError malformed-proof, proof-rejected: no line by this key, or one that does not hold.
 */
export function cosignatureIn(answer: Uint8Array, text: string, vkey: string): string {
  const note = `${text}\n${decodeUtf8(answer, "add-checkpoint: the answer")}`;
  const { signatures, text: signed } = parseNote(note);
  // An empty line in the answer would make more text out of it, which a witness that means ill could have signed.
  if (signed !== text) throw malformed("add-checkpoint: the answer is not signature lines alone");
  openNote(note, [vkey]);
  const witness = parseVkey(vkey);
  const lines = signatures
    .filter(({ name, id }) => name === witness.name && id.equals(witness.id))
    .map(({ signature }) => formatSignature(witness, signature));
  return lines.at(-1) as string;
}

/** The answer to a request whose old size is not the witness's: media type of a size alone. */
export const TLOG_SIZE = "text/x.tlog.size";

/** @returns the size in an answer of type {@link TLOG_SIZE}. @throws DocksealError malformed-proof. */
export function parseTlogSize(answer: string): number {
  if (!answer.endsWith("\n")) throw malformed("add-checkpoint: the answer's size does not end in a newline");
  return decodeDecimal(answer.slice(0, -1), "add-checkpoint: the answer's size");
}
