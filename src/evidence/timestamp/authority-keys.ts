import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { shortText } from "../strict-json.ts";
import { derNamedBits, derOid, derSequence } from "./der.ts";
import { extension, type IssuedKey, issueUnderRoot } from "./issue.ts";
import { OID } from "./oids.ts";

/** What the built-in timestamp authority works with: ECDSA P-256 or RSA 3072. */
export type TimestampAuthorityKeys = IssuedKey;

/** What an authority signs with: ECDSA P-256, or RSA 3072 for programs that know nothing else; both with SHA-256. */
export type TimestampProfile = "ecdsa" | "rsa";

const LIFETIME_YEARS = 20;

/**
 * Makes a timestamp authority: a root, and one certificate for timestamps alone. The root's key is thrown away, so
 * nothing else can ever be issued under it; a new authority has a new root.
 * @param name common name, 1 to 48 characters.
 * @param now beginning of both certificates' validity (whole seconds).
 * @param years how long both are valid.
 */
export function createTimestampAuthority(wanted: {
  readonly name: string;
  readonly now: Date;
  readonly profile?: TimestampProfile;
  readonly years?: number;
}): TimestampAuthorityKeys {
  const { name, now, profile = "ecdsa", years = LIFETIME_YEARS } = wanted;
  const commonName = shortText(name, 48, "name of the timestamp authority");
  const [root, keys] = [newKeyPair(profile), newKeyPair(profile)];
  return issueUnderRoot({
    ...{ commonName, root, keys, from: now, years },
    usage: [
      extension(OID.keyUsage, true, derNamedBits(0)), // digitalSignature
      extension(OID.extendedKeyUsage, true, derSequence(derOid(OID.timeStamping))), // RFC 3161 §2.3
    ],
  });
}

function newKeyPair(profile: TimestampProfile): { publicKey: KeyObject; privateKey: KeyObject } {
  return profile === "rsa"
    ? generateKeyPairSync("rsa", { modulusLength: 3072 })
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
}
