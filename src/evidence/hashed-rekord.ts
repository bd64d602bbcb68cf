import { canonicalBytes, type Json } from "#kernel";
import { decodeBase64, decodeUtf8 } from "./encoding.ts";
import { type CustodyLeaf, parseLeaf } from "./leaf.ts";
import { parseSealKey } from "./seal-signature.ts";
import { anyMembers, exactMembers, hex32, literal, parseCanonical, textMatching } from "./strict-json.ts";

/**
 * An entry of the log in Sigstore's words: that a key signed a file with this digest (Rekor's type `hashedrekord`,
 * version 0.0.1). In the log it is the canonical JSON (RFC 8785) of exactly these members.
 */
export interface HashedRekord {
  /** SHA-256 of the file, hex. */
  readonly sha256: string;
  /** ECDSA P-256 over the file, DER. */
  readonly signature: Buffer;
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicPem: string;
}

const KIND = "hashedrekord";
const VERSION = "0.0.1";
/** What a bundle says of an entry of this type. */
export const HASHED_REKORD = { kind: KIND, version: VERSION } as const;

export function encodeHashedRekord({ sha256, signature, publicPem }: HashedRekord): Buffer {
  return canonicalBytes({
    apiVersion: VERSION,
    kind: KIND,
    spec: {
      data: { hash: { algorithm: "sha256", value: hex32(sha256, "hashedrekord: `value`") } },
      signature: {
        content: signature.toString("base64"),
        publicKey: { content: Buffer.from(publicPem).toString("base64") },
      },
    },
  });
}

/** Strict: exactly these members, each of its form, in exactly the canonical bytes. */
export function parseHashedRekord(bytes: Uint8Array): HashedRekord {
  return hashedRekordOf(parseCanonical(bytes, "hashedrekord"));
}

/** What an entry of the log is: a custody leaf, or a seal that was published. @throws DocksealError malformed-proof. */
export function parseLogEntry(
  bytes: Uint8Array,
): { readonly type: "custody"; readonly leaf: CustodyLeaf } | { readonly type: "seal"; readonly record: HashedRekord } {
  const value = parseCanonical(bytes, "entry");
  if (!Object.hasOwn(anyMembers(value, "entry"), "kind")) return { type: "custody", leaf: parseLeaf(bytes) };
  return { type: "seal", record: hashedRekordOf(value) };
}

function hashedRekordOf(value: Json): HashedRekord {
  const record = exactMembers(value, ["apiVersion", "kind", "spec"], "hashedrekord");
  literal(record["apiVersion"], VERSION, "hashedrekord: `apiVersion`");
  literal(record["kind"], KIND, "hashedrekord: `kind`");
  const spec = exactMembers(record["spec"], ["data", "signature"], "hashedrekord: `spec`");
  const data = exactMembers(spec["data"], ["hash"], "hashedrekord: `data`");
  const hash = exactMembers(data["hash"], ["algorithm", "value"], "hashedrekord: `hash`");
  literal(hash["algorithm"], "sha256", "hashedrekord: `algorithm`");
  const signature = exactMembers(spec["signature"], ["content", "publicKey"], "hashedrekord: `signature`");
  const publicKey = exactMembers(signature["publicKey"], ["content"], "hashedrekord: `publicKey`");
  const bytesOf = (content: unknown, what: string): Buffer => decodeBase64(textMatching(content, /^.+$/, what), what);
  const publicPem = decodeUtf8(bytesOf(publicKey["content"], "hashedrekord: the key"), "hashedrekord: the key");
  parseSealKey(publicPem);
  return {
    sha256: hex32(hash["value"], "hashedrekord: `value`"),
    signature: bytesOf(signature["content"], "hashedrekord: the signature"),
    publicPem,
  };
}
