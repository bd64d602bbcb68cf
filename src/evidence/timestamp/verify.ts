import { createHash, verify } from "node:crypto";
import { type Certificate, parseCertificate, readAlgorithm } from "./certificate.ts";
import { asDer, timestampRejected } from "./checks.ts";
import { contextConstructed, type DerReader, der, derNull, readAll, TAG } from "./der.ts";
import type { Imprints } from "./imprints.ts";
import { DIGESTS, OID, SIGNATURES } from "./oids.ts";
import { certificationPath, checkSignerPurpose } from "./path.ts";
import {
  type Accuracy,
  type Algorithm,
  parseToken,
  parseTstInfo,
  type SignerInfo,
  type Token,
  type TstInfo,
} from "./token.ts";

export interface TimestampExpectations {
  /** Digests of what was to be timestamped; bytes alone are its SHA-256. */
  readonly imprint: Uint8Array | Partial<Imprints>;
  /** When given, the token must carry exactly this one. */
  readonly nonce?: bigint;
  /** When given, the token must be issued under this policy (dotted object identifier). */
  readonly policy?: string;
  /** When given, the token must tell a time from the first to the last moment, both included. */
  readonly between?: readonly [from: Date, until: Date];
  /** Certificates to believe, PEM or DER. */
  readonly roots: readonly (string | Uint8Array)[];
  /** Further certificates for the path, besides those in the token, PEM or DER. */
  readonly intermediates?: readonly (string | Uint8Array)[];
}

export interface VerifiedTimestamp {
  /** To the millisecond. */
  readonly genTime: Date;
  /** Lower-case hex. */
  readonly serial: string;
  readonly policy: string;
  readonly accuracy?: Accuracy;
  /** Subject of the authority's certificate, e.g. `CN=…, O=…`. */
  readonly signer: string;
  /** End of the validity of the authority's certificate, or of the one above it that ends first. */
  readonly validUntil: Date;
}

/**
 * Checks a timestamp token (RFC 3161 §2.2, §2.3, RFC 5816) as strictly as `openssl ts -verify`, but at the time that
 * it tells instead of today: a timestamp outlives its authority's certificate. Revocation is not looked up.
 * Not supported: PSS, Ed25519 and SM2 signatures, signers named by key identifier.
 * @throws DocksealError timestamp-rejected with `extra.check` (a TimestampCheck); malformed-proof when a given root or
 *   intermediate is no certificate.
 */
export function verifyTimestampToken(tokenDer: Uint8Array, expected: TimestampExpectations): VerifiedTimestamp {
  const roots = expected.roots.map(parseCertificate);
  const given = (expected.intermediates ?? []).map(parseCertificate);
  return asDer(() => {
    const token = parseToken(tokenDer);
    if (token.contentType !== OID.tstInfo) throw timestampRejected("content-type", "not a timestamp");
    // RFC 5652 §5.1, §5.3: 3, because the content is not id-data; 1, because the signer is named by issuer and serial
    if (token.version !== 3n || token.signer.version !== 1n) throw timestampRejected("version", "of the signed data");
    const info = parseTstInfo(token.content);
    const signer = signerCertificate(token, given);
    checkSignerPurpose(signer);
    const intermediates = [...token.certificates, ...given];
    const path = certificationPath(signer, { roots, intermediates, at: info.genTime });
    checkAttributes(token, path);
    checkSignature(token.signer, signer);
    checkInfo(info, signer, expected);
    return {
      genTime: info.genTime,
      serial: info.serial.toString(16),
      policy: info.policy,
      ...(info.accuracy === undefined ? {} : { accuracy: info.accuracy }),
      signer: signer.x509.subject.split("\n").join(", "),
      validUntil: new Date(Math.min(...path.map(({ x509 }) => x509.validToDate.getTime()))),
    };
  });
}

export function signerCertificate({ certificates, signer }: Token, given: readonly Certificate[]): Certificate {
  const found = [...certificates, ...given].find(
    ({ issuer, serial }) => issuer.equals(signer.issuer) && serial === signer.serial,
  );
  if (found === undefined) throw timestampRejected("signer-certificate", "neither in the token nor given");
  return found;
}

/** RFC 5652 §5.4, §11.1, §11.2 and RFC 5035 §5.4. */
export function checkAttributes(
  { contentType: expected, content, digestAlgorithms, signer }: Token,
  path: readonly Certificate[],
): void {
  const { attributes, digestAlgorithm } = signer;
  const contentType = attributes.get(OID.contentType);
  if (contentType === undefined || readAll(contentType, (reader) => reader.oid()) !== expected) {
    throw timestampRejected("signed-attributes", "the content type is missing or another");
  }
  if (!digestAlgorithms.some(({ oid }) => oid === digestAlgorithm.oid)) {
    throw timestampRejected("message-digest", "its algorithm is not announced");
  }
  const digest = createHash(digestName(digestAlgorithm)).update(content).digest();
  const stated = attributes.get(OID.messageDigest);
  if (stated === undefined || !readAll(stated, (reader) => reader.octets()).equals(digest)) {
    throw timestampRejected("message-digest", "missing, or not that of the content");
  }
  const first = attributes.get(OID.signingCertificate);
  const second = attributes.get(OID.signingCertificateV2);
  if (first === undefined && second === undefined) throw timestampRejected("signing-certificate", "there is none");
  // without an algorithm the first version means SHA-1, the second SHA-256
  if (first !== undefined) checkSigningCertificate(first, "sha1", path);
  if (second !== undefined) checkSigningCertificate(second, "sha256", path);
}

/**
 * ESSCertID (RFC 2634 §5.4.1) and ESSCertIDv2 (RFC 5035 §4): the first names the signer's certificate, each further
 * one another certificate of the path.
 */
function checkSigningCertificate(attribute: Buffer, implied: string, path: readonly Certificate[]): void {
  const ids = readAll(attribute, (reader) =>
    reader.enter(TAG.sequence, (certificate) => {
      const certs = certificate.enter(TAG.sequence, (list) => list.rest((id) => readCertificateId(id, implied)));
      certificate.maybe(TAG.sequence); // policies: not used
      return certs;
    }),
  );
  const named = ids.map((matches) => path.findIndex(matches));
  if (named[0] !== 0 || named.some((position, n) => position === -1 || (position === 0) !== (n === 0))) {
    throw timestampRejected("signing-certificate", "does not name the signer's certificate and its path");
  }
}

function readCertificateId(reader: DerReader, implied: string): (certificate: Certificate) => boolean {
  return reader.enter(TAG.sequence, (id) => {
    const algorithm = id.peek() === TAG.sequence ? readAlgorithm(id) : undefined;
    const hash = id.octets();
    const issuerSerial = id.maybeEnter(TAG.sequence, (inside) => ({
      // GeneralNames with one directoryName
      issuer: inside.enter(TAG.sequence, (names) => names.enter(contextConstructed(4), (name) => name.next().encoded)),
      serial: inside.integer(),
    }));
    const name = algorithm === undefined ? implied : digestName(algorithm);
    return ({ der, issuer, serial }) =>
      createHash(name).update(der).digest().equals(hash) &&
      (issuerSerial === undefined || (issuerSerial.issuer.equals(issuer) && issuerSerial.serial === serial));
  });
}

export function checkSignature(
  { signatureAlgorithm, digestAlgorithm, signedBytes, signature }: SignerInfo,
  signer: Certificate,
) {
  const digest = digestName(digestAlgorithm);
  const key = signer.x509.publicKey;
  // RFC 3370 §3.2: plain rsaEncryption leaves the digest to digestAlgorithm
  const plainRsa = signatureAlgorithm.oid === OID.rsaEncryption;
  const algorithm = plainRsa ? { key: "rsa", digest } : SIGNATURES.get(signatureAlgorithm.oid);
  if (algorithm === undefined || algorithm.digest !== digest || algorithm.key !== key.asymmetricKeyType) {
    throw timestampRejected("signature-algorithm", "not accepted, or not of this key and digest");
  }
  if (!verify(digest, signedBytes, key, signature)) throw timestampRejected("signature", "wrong");
}

function checkInfo(info: TstInfo, signer: Certificate, expected: TimestampExpectations): void {
  if (info.version !== 1n) throw timestampRejected("version", "of the timestamp");
  const { algorithm, hash } = info.imprint;
  const imprint = hasNoParameters(algorithm) ? imprintFor(algorithm.oid, expected.imprint) : undefined;
  if (imprint === undefined) {
    throw timestampRejected("imprint-algorithm", "neither SHA-256 nor SM3, or not the one that belongs here");
  }
  if (!hash.equals(imprint)) throw timestampRejected("imprint", "the timestamp is for something else");
  if (expected.nonce !== undefined && info.nonce !== expected.nonce)
    throw timestampRejected("nonce", "not the one sent");
  if (expected.policy !== undefined && info.policy !== expected.policy) throw timestampRejected("policy", info.policy);
  const [from, until] = expected.between ?? [];
  if (from !== undefined && until !== undefined && (info.genTime < from || info.genTime > until)) {
    throw timestampRejected("time", `it tells ${info.genTime.toISOString()}: the authority's clock or ours is wrong`);
  }
  if (info.tsa !== undefined && !namesOf(signer).some((name) => info.tsa?.equals(name))) {
    throw timestampRejected("tsa-name", "not a name of the signer's certificate");
  }
  for (const [oid, { critical }] of info.extensions) {
    if (critical) throw timestampRejected("critical-extension", `${oid} is not understood`);
  }
}

/** The digest of that algorithm; undefined when it is not one that is known here. */
function imprintFor(oid: string, given: Uint8Array | Partial<Imprints>): Uint8Array | undefined {
  const { sha256, sm3 }: Partial<Imprints> = given instanceof Uint8Array ? { sha256: given } : given;
  if (oid === OID.sha256) return sha256;
  return oid === OID.sm3 ? sm3 : undefined;
}

/** Subject and alternative names, each as DER of a GeneralName (RFC 5280 §4.2.1.6). */
function namesOf({ subject, extensions }: Certificate): Buffer[] {
  const alternative = extensions.get(OID.subjectAltName);
  const others = alternative
    ? readAll(alternative.value, (reader) =>
        reader.enter(TAG.sequence, (list) => list.rest((name) => name.next().encoded)),
      )
    : [];
  return [der(contextConstructed(4), subject), ...others];
}

export function hasNoParameters({ parameters }: Algorithm): boolean {
  return parameters === undefined || parameters.equals(derNull());
}

function digestName(algorithm: Algorithm): string {
  const digest = DIGESTS.get(algorithm.oid);
  if (digest === undefined || !hasNoParameters(algorithm)) {
    throw timestampRejected("message-digest", "an algorithm that is not accepted");
  }
  return digest.name;
}
