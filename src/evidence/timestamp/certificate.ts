import { X509Certificate } from "node:crypto";
import { decodeBase64 } from "../encoding.ts";
import { malformed } from "../refuse.ts";
import { contextConstructed, type DerReader, readAll, TAG } from "./der.ts";

export interface Extension {
  readonly critical: boolean;
  readonly value: Buffer;
}

/** What path validation needs of a certificate (RFC 5280 §4.1). */
export interface Certificate {
  readonly der: Buffer;
  readonly x509: X509Certificate;
  readonly serial: bigint;
  /** DER of the names. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** Object identifier of the algorithm it is signed with. */
  readonly signatureAlgorithm: string;
  /** By object identifier. */
  readonly extensions: ReadonlyMap<string, Extension>;
}

/**
 * Reads a certificate in DER, or in PEM with nothing around it.
 * @throws DocksealError malformed-proof.
 */
export function parseCertificate(source: string | Uint8Array): Certificate {
  const bytes = typeof source === "string" ? pemBytes(source) : Buffer.from(source);
  return readAll(bytes, (reader) => readCertificate(reader));
}

/** Reads the next value as a certificate. */
export function readCertificate(reader: DerReader): Certificate {
  const { encoded, content } = reader.next(TAG.sequence);
  return readAll(content, (certificate) => {
    const tbs = certificate.enter(TAG.sequence, readTbs);
    const outer = certificate.next(TAG.sequence).encoded;
    certificate.next(TAG.bitString);
    // RFC 5280 §4.1.1.2
    if (!outer.equals(tbs.algorithm)) throw malformed("certificate: two different signature algorithms");
    const signatureAlgorithm = readAll(outer, readAlgorithm).oid;
    const { serial, issuer, subject, extensions } = tbs;
    return { der: encoded, x509: openX509(encoded), serial, issuer, subject, signatureAlgorithm, extensions };
  });
}

/** AlgorithmIdentifier: the parameters stay in DER. */
export function readAlgorithm(reader: DerReader): { oid: string; parameters: Buffer | undefined } {
  return reader.enter(TAG.sequence, (inside) => ({
    oid: inside.oid(),
    parameters: inside.peek() === undefined ? undefined : inside.next().encoded,
  }));
}

/** Extensions, by object identifier (RFC 5280 §4.2: each at most once). */
export function readExtensions(reader: DerReader): Map<string, Extension> {
  const extensions = new Map<string, Extension>();
  for (const { oid, ...extension } of reader.rest(readExtension)) {
    if (extensions.has(oid)) throw malformed("the same extension twice");
    extensions.set(oid, extension);
  }
  return extensions;
}

function readExtension(reader: DerReader): { oid: string } & Extension {
  return reader.enter(TAG.sequence, (inside) => {
    const oid = inside.oid();
    const critical = inside.peek() === TAG.boolean && inside.boolean();
    return { oid, critical, value: inside.octets() };
  });
}

function readTbs(reader: DerReader) {
  reader.maybeEnter(contextConstructed(0), (version) => version.integer());
  const serial = reader.integer();
  const algorithm = reader.next(TAG.sequence).encoded;
  const issuer = reader.next(TAG.sequence).encoded;
  reader.next(TAG.sequence); // validity: read by node:crypto
  const subject = reader.next(TAG.sequence).encoded;
  reader.next(TAG.sequence); // key: read by node:crypto
  const extensions = reader.maybeEnter(contextConstructed(3), (list) => list.enter(TAG.sequence, readExtensions));
  return { serial, algorithm, issuer, subject, extensions: extensions ?? new Map<string, Extension>() };
}

function openX509(der: Buffer): X509Certificate {
  try {
    const x509 = new X509Certificate(der);
    // read now, so that a key of an unknown kind is found here and not in the middle of a check
    void x509.publicKey;
    return x509;
  } catch (cause) {
    throw malformed("certificate: cannot be read", cause);
  }
}

function pemBytes(pem: string): Buffer {
  const body = /^-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----\s*$/.exec(pem)?.[1];
  if (body === undefined) throw malformed("certificate: not one PEM block");
  return decodeBase64(body.replace(/[\r\n]/g, ""), "certificate");
}
