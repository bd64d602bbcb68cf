import { type OpenedCheckpoint, openCheckpoint } from "./checkpoint.ts";
import { decodeBase64, decodeDecimal, decodeHash } from "./encoding.ts";
import { inclusionHolds, leafHash } from "./merkle.ts";
import { malformed, rejected } from "./refuse.ts";

const HEADER = "c2sp.org/tlog-proof@v1";
/** A tree of 2^53 leaves has proofs of 53 hashes. */
const MAX_HASHES = 53;

/** Proof that an entry stands in a log, verifiable offline: C2SP tlog-proof (https://c2sp.org/tlog-proof). */
export interface TlogProof {
  /** Opaque and not authenticated by anything. */
  readonly extra?: Buffer;
  readonly index: number;
  /** Inclusion proof, from the leaf's sibling to the root's child. */
  readonly hashes: readonly Buffer[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

/** @throws DocksealError malformed-proof when it would not parse. */
export function formatTlogProof({ extra, index, hashes, checkpoint }: TlogProof): string {
  const lines = [
    HEADER,
    ...(extra === undefined ? [] : [`extra ${extra.toString("base64")}`]),
    `index ${index}`,
    ...hashes.map((hash) => hash.toString("base64")),
  ];
  const text = `${lines.join("\n")}\n\n${checkpoint}`;
  parseTlogProof(text);
  return text;
}

/** Reads the parts; nothing is checked against anything yet. */
export function parseTlogProof(text: string): TlogProof {
  const end = text.indexOf("\n\n");
  if (end === -1) throw malformed("proof: no empty line before the checkpoint");
  const [header, ...lines] = text.slice(0, end).split("\n");
  if (header !== HEADER) throw malformed(`proof: does not begin with ${HEADER}`);
  const extra = lines[0]?.startsWith("extra ") ? lines.shift()?.slice("extra ".length) : undefined;
  const [index, ...hashes] = lines;
  if (!index?.startsWith("index ")) throw malformed("proof: no index line");
  if (hashes.length > MAX_HASHES) throw malformed("proof: too many hashes");
  return {
    ...(extra === undefined ? {} : { extra: decodeBase64(extra, "proof: the extra data") }),
    index: decodeDecimal(index.slice("index ".length), "proof: the index"),
    hashes: hashes.map((hash) => decodeHash(hash, "proof: a hash")),
    checkpoint: text.slice(end + 2),
  };
}

/**
 * Checks the whole way from the entry to a key that is believed.
 * @param entry bytes of the leaf, as logged.
 * @param vkeys see {@link openCheckpoint}.
 * @throws DocksealError malformed-proof, proof-rejected.
 */
export function verifyTlogProof(
  text: string,
  entry: Uint8Array,
  vkeys: readonly string[],
  origin?: string,
): { index: number; checkpoint: OpenedCheckpoint } {
  const { index, hashes, checkpoint: note } = parseTlogProof(text);
  const checkpoint = openCheckpoint(note, vkeys, origin);
  const { size, root } = checkpoint;
  if (!inclusionHolds({ index, size, leafHash: leafHash(entry), proof: hashes, root })) {
    throw rejected("proof: the entry is not in the tree that the checkpoint names");
  }
  return { index, checkpoint };
}
