import type { Json } from "#kernel";
import { decodeBase64, decodeUtf8 } from "./encoding.ts";
import { parseVkey } from "./note-key.ts";
import { malformed } from "./refuse.ts";
import { anyMembers, exactMembers, hex32, instant, literal, parseJson } from "./strict-json.ts";
import { parseCertificate } from "./timestamp/certificate.ts";

const TYPE = "dockseal/receipt@v1";
const MAX_CHARACTERS = 1_000_000;

/** Signed proof to a station that a clip is durably held: everything needed to check it offline. */
export interface Receipt {
  /** Bytes of the log entry `clip.sealed` (CustodyLeaf). */
  readonly entry: Buffer;
  /** C2SP tlog-proof of the entry. */
  readonly proof: string;
  /** Bytes that open the entry's commitment (Opening of {@link SealedDetails}). */
  readonly opening: Buffer;
  /** Bytes of the SealManifest. */
  readonly manifest: Buffer;
  /** RFC 3161 token over the manifest's SHA-256, DER. */
  readonly timestampToken: Buffer;
  /** Verifier key of the log, for those who have none from elsewhere. */
  readonly logKey: string;
  /** Root certificates of the timestamp authority, DER, for those who have none from elsewhere. At least one. */
  readonly timestampRoots: readonly Buffer[];
  /** Is the timestamp authority independent of the log's keeper? */
  readonly timestampIndependent: boolean;
  /** Tokens over the token before, oldest first, DER (RFC 3161 §4). Absent when there are none. */
  readonly timestampRenewals?: readonly Buffer[];
}

const MEMBERS = [
  "type",
  "entry",
  "proof",
  "opening",
  "manifest",
  "timestampToken",
  "logKey",
  "timestampRoots",
  "timestampIndependent",
] as const;
/** Stands at the end, and only where there is something in it: so a receipt without renewals has one form, as ever. */
const RENEWALS = "timestampRenewals";

/** Details of the custody event `clip.sealed`. */
export interface SealedDetails {
  /** SHA-256 of the manifest's bytes, hex. */
  readonly manifestSha256: string;
  readonly timestamp: {
    /** SHA-256 of the token, hex. */
    readonly tokenSha256: string;
    /** RFC 3339, UTC, milliseconds. */
    readonly genTime: string;
    readonly independent: boolean;
  };
}

/** JSON text with each member on a line of its own, so that `sed` can take it apart. Keep and send it as it is. */
export function encodeReceipt(receipt: Receipt): string {
  const values: Record<(typeof MEMBERS)[number], Json> = {
    type: TYPE,
    entry: receipt.entry.toString("base64"),
    proof: Buffer.from(receipt.proof).toString("base64"),
    opening: receipt.opening.toString("base64"),
    manifest: receipt.manifest.toString("base64"),
    timestampToken: receipt.timestampToken.toString("base64"),
    logKey: receipt.logKey,
    timestampRoots: receipt.timestampRoots.map((root) => root.toString("base64")),
    timestampIndependent: receipt.timestampIndependent,
  };
  const lines = MEMBERS.map((name) => `  ${JSON.stringify(name)}: ${JSON.stringify(values[name])}`);
  if (receipt.timestampRenewals !== undefined) {
    const renewals = receipt.timestampRenewals.map((token) => token.toString("base64"));
    lines.push(`  ${JSON.stringify(RENEWALS)}: ${JSON.stringify(renewals)}`);
  }
  return `{\n${lines.join(",\n")}\n}\n`;
}

/**
 * Takes a receipt apart; nothing in it is checked against anything yet. Strict: these members in this order, each of
 * its form. White space between them may differ, for a file may have passed through an editor or a JSON library; a
 * member that stands there twice, of which a tool might see the other one, is refused.
 * @throws DocksealError malformed-proof.
 */
export function parseReceipt(text: string): Receipt {
  if (text.length > MAX_CHARACTERS) throw malformed("receipt: too long");
  const value = parseJson(text, "receipt");
  const renewed = Object.hasOwn(anyMembers(value, "receipt"), RENEWALS);
  const members = exactMembers(value, renewed ? [...MEMBERS, RENEWALS] : MEMBERS, "receipt");
  literal(members["type"], TYPE, "receipt: `type`");
  const base64 = (name: string, value: unknown): Buffer => {
    if (typeof value !== "string") throw malformed(`receipt: \`${name}\` is not base64`);
    return decodeBase64(value, `receipt: \`${name}\``);
  };
  const { logKey, timestampRoots: roots, timestampIndependent } = members;
  if (typeof logKey !== "string") throw malformed("receipt: `logKey` is not text");
  parseVkey(logKey);
  if (!Array.isArray(roots) || roots.length === 0) throw malformed("receipt: `timestampRoots` holds no certificate");
  if (typeof timestampIndependent !== "boolean")
    throw malformed("receipt: `timestampIndependent` is not true or false");
  const timestampRoots = roots.map((root) => base64("timestampRoots", root));
  for (const root of timestampRoots) parseCertificate(root);
  const renewals = renewed ? members[RENEWALS] : undefined;
  if (renewed && (!Array.isArray(renewals) || renewals.length === 0)) {
    throw malformed(`receipt: \`${RENEWALS}\` holds no timestamp`);
  }
  const receipt: Receipt = {
    entry: base64("entry", members["entry"]),
    proof: decodeUtf8(base64("proof", members["proof"]), "receipt: `proof`"),
    opening: base64("opening", members["opening"]),
    manifest: base64("manifest", members["manifest"]),
    timestampToken: base64("timestampToken", members["timestampToken"]),
    logKey,
    timestampRoots,
    timestampIndependent,
    ...(Array.isArray(renewals) ? { timestampRenewals: renewals.map((token) => base64(RENEWALS, token)) } : {}),
  };
  // no value holds white space, so what is left of both is the same only when the members are
  if (withoutSpace(encodeReceipt(receipt)) !== withoutSpace(text)) throw malformed("receipt: not in its one form");
  return receipt;
}

/** @param details of an opening. */
export function parseSealedDetails(details: Json): SealedDetails {
  const members = exactMembers(details, ["manifestSha256", "timestamp"], "details");
  const names = ["tokenSha256", "genTime", "independent"];
  const timestamp = exactMembers(members["timestamp"], names, "details: `timestamp`");
  const { independent } = timestamp;
  if (typeof independent !== "boolean") throw malformed("details: `independent` is not true or false");
  return {
    manifestSha256: hex32(members["manifestSha256"], "details: `manifestSha256`"),
    timestamp: {
      tokenSha256: hex32(timestamp["tokenSha256"], "details: `tokenSha256`"),
      genTime: instant(timestamp["genTime"], "details: `genTime`"),
      independent,
    },
  };
}

function withoutSpace(text: string): string {
  return text.replace(/[ \t\r\n]+/g, "");
}
