import type { Json } from "#kernel";
import { decodeBase64, decodeDecimal, decodeHash } from "./encoding.ts";
import { HASHED_REKORD } from "./hashed-rekord.ts";
import { malformed } from "./refuse.ts";
import { exactMembers, literal, parseJson, textMatching } from "./strict-json.ts";
import { derInteger, derSequence } from "./timestamp/der.ts";
import { parseTimestampResponse } from "./timestamp/messages.ts";

/** https://github.com/sigstore/protobuf-specs, sigstore_bundle.proto: the media type of bundles from version 0.3 on. */
export const SEAL_BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const MAX_CHARACTERS = 1_000_000;

/** What a Sigstore bundle of a sealed clip holds: one signature by a key, one entry of one log, one timestamp. */
export interface SealBundle {
  /** SHA-256 of the original, 32 bytes. */
  readonly sha256: Buffer;
  /** ECDSA P-256 over the original, DER. */
  readonly signature: Buffer;
  /** See SealKeyFacts. */
  readonly keyHint: string;
  /** RFC 3161 token over the signature, DER. */
  readonly timestampToken: Buffer;
  /** Bytes of the log entry (HashedRekord). */
  readonly entry: Buffer;
  /** See logIdOf, 32 bytes. */
  readonly logId: Buffer;
  readonly index: number;
  /** Size and root that the proof leads to: those of the checkpoint. */
  readonly treeSize: number;
  readonly root: Buffer;
  /** Inclusion proof, from the leaf's sibling to the root's child. */
  readonly hashes: readonly Buffer[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

/**
 * JSON text (protobuf's mapping) with each member on a line of its own, so that `sed` can take it apart. The token
 * stands in it as a TimeStampResp that grants it, as the format has it.
 */
export function encodeSealBundle(bundle: SealBundle): string {
  return `${JSON.stringify(bundleJson(bundle), null, 2)}\n`;
}

/**
 * Takes a bundle apart; nothing in it is checked against anything yet. Strict: what {@link encodeSealBundle} writes,
 * apart from white space. Sigstore bundles of other kinds (certificates, attestations, other logs) are not seals.
 * @throws DocksealError malformed-proof; timestamp-rejected when the timestamp is no response with a token.
 */
export function parseSealBundle(text: string): SealBundle {
  if (text.length > MAX_CHARACTERS) throw malformed("seal bundle: too long");
  const members = ["mediaType", "verificationMaterial", "messageSignature"];
  const top = exactMembers(parseJson(text, "seal bundle"), members, "seal bundle");
  literal(top["mediaType"], SEAL_BUNDLE_MEDIA_TYPE, "seal bundle: `mediaType`");
  const inside = (value: unknown, names: readonly string[], name: string) =>
    exactMembers(value, names, `seal bundle: \`${name}\``);
  const material = inside(
    top["verificationMaterial"],
    ["publicKey", "tlogEntries", "timestampVerificationData"],
    "verificationMaterial",
  );
  const entry = inside(
    only(material["tlogEntries"], "tlogEntries"),
    ["logIndex", "logId", "kindVersion", "inclusionProof", "canonicalizedBody"],
    "tlogEntries",
  );
  const kindVersion = inside(entry["kindVersion"], ["kind", "version"], "kindVersion");
  literal(kindVersion["kind"], HASHED_REKORD.kind, "seal bundle: `kind`");
  literal(kindVersion["version"], HASHED_REKORD.version, "seal bundle: `version`");
  const proof = inside(
    entry["inclusionProof"],
    ["logIndex", "rootHash", "treeSize", "hashes", "checkpoint"],
    "inclusionProof",
  );
  if (!Array.isArray(proof["hashes"])) throw malformed("seal bundle: `hashes` is not a list");
  const data = inside(material["timestampVerificationData"], ["rfc3161Timestamps"], "timestampVerificationData");
  const timestamp = inside(only(data["rfc3161Timestamps"], "rfc3161Timestamps"), ["signedTimestamp"], "timestamp");
  const message = inside(top["messageSignature"], ["messageDigest", "signature"], "messageSignature");
  const digest = inside(message["messageDigest"], ["algorithm", "digest"], "messageDigest");
  literal(digest["algorithm"], "SHA2_256", "seal bundle: `algorithm`");
  const { tokenDer } = parseTimestampResponse(base64(timestamp["signedTimestamp"], "signedTimestamp"));
  if (tokenDer === undefined) throw malformed("seal bundle: the timestamp was not granted");
  const bundle: SealBundle = {
    sha256: hash(digest["digest"], "digest"),
    signature: base64(message["signature"], "signature"),
    keyHint: textOf(inside(material["publicKey"], ["hint"], "publicKey")["hint"], "hint"),
    timestampToken: tokenDer,
    entry: base64(entry["canonicalizedBody"], "canonicalizedBody"),
    logId: hash(inside(entry["logId"], ["keyId"], "logId")["keyId"], "keyId"),
    index: decodeDecimal(textOf(entry["logIndex"], "logIndex"), "seal bundle: `logIndex`"),
    treeSize: decodeDecimal(textOf(proof["treeSize"], "treeSize"), "seal bundle: `treeSize`"),
    root: hash(proof["rootHash"], "rootHash"),
    hashes: proof["hashes"].map((each) => hash(each, "hashes")),
    checkpoint: textOf(inside(proof["checkpoint"], ["envelope"], "checkpoint")["envelope"], "envelope"),
  };
  // protobuf's mapping leaves much free (other orders, members twice, numbers without quotes): here one form counts
  if (withoutSpace(JSON.stringify(bundleJson(bundle))) !== withoutSpace(text)) {
    throw malformed("seal bundle: not in its one form");
  }
  return bundle;
}

function bundleJson(bundle: SealBundle): Json {
  const base64Of = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  return {
    mediaType: SEAL_BUNDLE_MEDIA_TYPE,
    verificationMaterial: {
      publicKey: { hint: bundle.keyHint },
      tlogEntries: [
        {
          logIndex: String(bundle.index),
          logId: { keyId: base64Of(bundle.logId) },
          kindVersion: { ...HASHED_REKORD },
          inclusionProof: {
            logIndex: String(bundle.index),
            rootHash: base64Of(bundle.root),
            treeSize: String(bundle.treeSize),
            hashes: bundle.hashes.map(base64Of),
            checkpoint: { envelope: bundle.checkpoint },
          },
          canonicalizedBody: base64Of(bundle.entry),
        },
      ],
      timestampVerificationData: {
        // PKIStatus 0, granted (RFC 3161 §2.4.2)
        rfc3161Timestamps: [
          { signedTimestamp: base64Of(derSequence(derSequence(derInteger(0)), bundle.timestampToken)) },
        ],
      },
    },
    messageSignature: {
      messageDigest: { algorithm: "SHA2_256", digest: base64Of(bundle.sha256) },
      signature: base64Of(bundle.signature),
    },
  };
}

function only(list: unknown, name: string): unknown {
  if (!Array.isArray(list) || list.length !== 1) throw malformed(`seal bundle: not exactly one of \`${name}\``);
  return list[0];
}

function textOf(value: unknown, name: string): string {
  return textMatching(value, /^.+$/s, `seal bundle: \`${name}\``);
}

function base64(value: unknown, name: string): Buffer {
  return decodeBase64(textOf(value, name), `seal bundle: \`${name}\``);
}

function hash(value: unknown, name: string): Buffer {
  return decodeHash(textOf(value, name), `seal bundle: \`${name}\``);
}

/** White space between members; inside of texts it is always escaped or stands on both sides of the comparison. */
function withoutSpace(text: string): string {
  return text.replace(/[ \t\r\n]+/g, "");
}
