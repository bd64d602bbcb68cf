import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { shortText } from "../strict-json.ts";
import {
  context,
  contextConstructed,
  der,
  derBits,
  derInteger,
  derNamedBits,
  derOctets,
  derOid,
  derSequence,
  derSet,
  derTime,
  derTrue,
  derUtf8,
  TAG,
} from "./der.ts";
import { OID } from "./oids.ts";

/** What the built-in timestamp authority works with. */
export interface TimestampAuthorityKeys {
  /** PKCS #8, ECDSA P-256. Secret. */
  readonly keyPem: string;
  /** The authority's certificate, issued by the root. */
  readonly certificatePem: string;
  /** What a verifier has to believe. */
  readonly rootPem: string;
}

const LIFETIME_YEARS = 20;

/**
 * Makes a timestamp authority: a root, and one certificate for timestamps alone. The root's key is thrown away, so
 * nothing else can ever be issued under it; a new authority has a new root.
 * @param name common name, 1 to 48 characters.
 * @param now beginning of both certificates' validity (whole seconds).
 */
export function createTimestampAuthority({ name, now }: { name: string; now: Date }): TimestampAuthorityKeys {
  const commonName = shortText(name, 48, "name of the timestamp authority");
  const root = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const authority = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const validity = { from: now, years: LIFETIME_YEARS };
  const rootName = distinguishedName(`${commonName} root`);
  const rootDer = buildCertificate({
    ...validity,
    issuer: rootName,
    subject: rootName,
    publicKey: root.publicKey,
    signingKey: root.privateKey,
    extensions: [
      extension(OID.basicConstraints, true, derSequence(derTrue(), derInteger(0))),
      extension(OID.keyUsage, true, derNamedBits(5, 6)), // keyCertSign, cRLSign
      extension(OID.subjectKeyIdentifier, false, derOctets(keyIdentifier(root.publicKey))),
    ],
  });
  const certificateDer = buildCertificate({
    ...validity,
    issuer: rootName,
    subject: distinguishedName(commonName),
    publicKey: authority.publicKey,
    signingKey: root.privateKey,
    extensions: [
      extension(OID.basicConstraints, true, derSequence()),
      extension(OID.keyUsage, true, derNamedBits(0)), // digitalSignature
      extension(OID.extendedKeyUsage, true, derSequence(derOid(OID.timeStamping))), // RFC 3161 §2.3
      extension(OID.subjectKeyIdentifier, false, derOctets(keyIdentifier(authority.publicKey))),
      extension(OID.authorityKeyIdentifier, false, derSequence(der(context(0), keyIdentifier(root.publicKey)))),
    ],
  });
  return {
    keyPem: authority.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    certificatePem: certificatePem(certificateDer),
    rootPem: certificatePem(rootDer),
  };
}

/** PEM (RFC 7468 §5) of a certificate in DER. */
export function certificatePem(bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString("base64")
    .replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

export interface CertificateParts {
  /** DER of the names, see {@link distinguishedName}. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly from: Date;
  readonly years: number;
  readonly publicKey: KeyObject;
  /** ECDSA P-256, of the issuer. */
  readonly signingKey: KeyObject;
  /** See {@link extension}. */
  readonly extensions: readonly Buffer[];
}

/** A version 3 certificate (RFC 5280 §4.1) with a random serial number, signed with ECDSA and SHA-256, in DER. */
export function buildCertificate(parts: CertificateParts): Buffer {
  const algorithm = derSequence(derOid(OID.ecdsaWithSha256));
  const until = new Date(parts.from);
  until.setUTCFullYear(until.getUTCFullYear() + parts.years);
  const tbs = derSequence(
    der(contextConstructed(0), derInteger(2)),
    derInteger(BigInt(`0x${randomBytes(16).toString("hex")}`)),
    algorithm,
    parts.issuer,
    derSequence(validityTime(parts.from), validityTime(until)),
    parts.subject,
    parts.publicKey.export({ format: "der", type: "spki" }),
    der(contextConstructed(3), derSequence(...parts.extensions)),
  );
  return derSequence(tbs, algorithm, derBits(sign("sha256", tbs, parts.signingKey)));
}

/** Name (RFC 5280 §4.1.2.4) of a common name alone. */
export function distinguishedName(commonName: string): Buffer {
  return derSequence(derSet(derSequence(derOid(OID.commonName), derUtf8(commonName))));
}

/** RFC 5280 §4.2. @param value DER of the extension. */
export function extension(oid: string, critical: boolean, value: Buffer): Buffer {
  return derSequence(derOid(oid), ...(critical ? [derTrue()] : []), derOctets(value));
}

function keyIdentifier(key: KeyObject): Buffer {
  // any value that is different for different keys will do (RFC 5280 §4.2.1.2)
  return createHash("sha256")
    .update(key.export({ format: "der", type: "spki" }))
    .digest()
    .subarray(0, 20);
}

function validityTime(time: Date): Buffer {
  const seconds = new Date(Math.floor(time.getTime() / 1000) * 1000);
  if (seconds.getUTCFullYear() >= 2050) return derTime(seconds);
  // RFC 5280 §4.1.2.5.1: through 2049 as UTCTime, that is with two digits for the year
  const digits = seconds.toISOString().slice(2, 19).replace(/[-:T]/g, "");
  return der(TAG.utcTime, Buffer.from(`${digits}Z`));
}
