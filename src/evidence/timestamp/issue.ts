import { createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import {
  context,
  contextConstructed,
  der,
  derBits,
  derInteger,
  derNamedBits,
  derNull,
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

/** A key for one purpose, and what shows whose it is. */
export interface IssuedKey {
  /** PKCS #8. Secret. */
  readonly keyPem: string;
  /** The certificate of the key, issued by the root. */
  readonly certificatePem: string;
  /** What a verifier has to believe. */
  readonly rootPem: string;
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/**
 * Issues a certificate under a root of its own. The root's key is the caller's to throw away: then nothing else can ever
 * be issued under it.
 */
export function issueUnderRoot(wanted: {
  readonly commonName: string;
  readonly root: KeyPair;
  readonly keys: KeyPair;
  /** Beginning of both certificates' validity (whole seconds). */
  readonly from: Date;
  readonly years: number;
  /** What the key is for, see {@link extension}: key usage and extended key usage. */
  readonly usage: readonly Buffer[];
}): IssuedKey {
  const { commonName, root, keys, from, years, usage } = wanted;
  const rootName = distinguishedName(`${commonName} root`);
  const common = { from, years, issuer: rootName, signingKey: root.privateKey };
  const rootDer = buildCertificate({
    ...common,
    subject: rootName,
    publicKey: root.publicKey,
    extensions: [
      extension(OID.basicConstraints, true, derSequence(derTrue(), derInteger(0))),
      extension(OID.keyUsage, true, derNamedBits(5, 6)), // keyCertSign, cRLSign
      extension(OID.subjectKeyIdentifier, false, derOctets(keyIdentifier(root.publicKey))),
    ],
  });
  const certificateDer = buildCertificate({
    ...common,
    subject: distinguishedName(commonName),
    publicKey: keys.publicKey,
    extensions: [
      extension(OID.basicConstraints, true, derSequence()),
      ...usage,
      extension(OID.subjectKeyIdentifier, false, derOctets(keyIdentifier(keys.publicKey))),
      extension(OID.authorityKeyIdentifier, false, derSequence(der(context(0), keyIdentifier(root.publicKey)))),
    ],
  });
  return {
    keyPem: keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    certificatePem: certificatePem(certificateDer),
    rootPem: certificatePem(rootDer),
  };
}

/** AlgorithmIdentifier of what such a key signs with SHA-256. RSA wants NULL as parameter (RFC 4055 §5), ECDSA none. */
export function signatureAlgorithmOf({ asymmetricKeyType }: KeyObject): Buffer {
  return asymmetricKeyType === "rsa"
    ? derSequence(derOid(OID.sha256WithRsa), derNull())
    : derSequence(derOid(OID.ecdsaWithSha256));
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
  /** RSA or ECDSA, of the issuer. */
  readonly signingKey: KeyObject;
  /** See {@link extension}. */
  readonly extensions: readonly Buffer[];
}

/** A version 3 certificate (RFC 5280 §4.1) with a random serial number, signed with SHA-256, in DER. */
export function buildCertificate(parts: CertificateParts): Buffer {
  const algorithm = signatureAlgorithmOf(parts.signingKey);
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

/** RFC 5280 §4.2.1.2. */
export function keyIdentifier(key: KeyObject): Buffer {
  // any value that is different for different keys will do (RFC 5280 §4.2.1.2)
  return createHash("sha256")
    .update(key.export({ format: "der", type: "spki" }))
    .digest()
    .subarray(0, 20);
}

/** Whole seconds, as certificates and signing times have them. */
export function validityTime(time: Date): Buffer {
  const seconds = new Date(Math.floor(time.getTime() / 1000) * 1000);
  if (seconds.getUTCFullYear() >= 2050) return derTime(seconds);
  // RFC 5280 §4.1.2.5.1: through 2049 as UTCTime, that is with two digits for the year
  const digits = seconds.toISOString().slice(2, 19).replace(/[-:T]/g, "");
  return der(TAG.utcTime, Buffer.from(`${digits}Z`));
}
