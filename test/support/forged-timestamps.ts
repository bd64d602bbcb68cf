import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { type Certificate, certificatePem, parseCertificate } from "#evidence";
import {
  contextConstructed,
  der,
  derInteger,
  derNamedBits,
  derNull,
  derOctets,
  derOid,
  derSequence,
  derSet,
  derTime,
  derTrue,
} from "../../src/evidence/timestamp/der.ts";
import { buildCertificate, distinguishedName, extension } from "../../src/evidence/timestamp/issue.ts";
import { OID } from "../../src/evidence/timestamp/oids.ts";

// Timestamp authorities and tokens with any part wrong on purpose, in DER from the same small pieces as the right ones.

export const NOW = new Date("2026-11-22T00:15:00.120Z");

export interface Party {
  readonly key: KeyObject;
  readonly certificate: Certificate;
  readonly pem: string;
}

export interface PartyOptions {
  readonly name?: string;
  readonly issuer?: Party;
  readonly from?: Date;
  readonly years?: number;
  readonly extensions?: readonly Buffer[];
  readonly keys?: { publicKey: KeyObject; privateKey: KeyObject };
  /** What is put instead of the issuer's name. */
  readonly issuerName?: string;
}

export const basicConstraints = (...parts: Buffer[]): Buffer =>
  extension(OID.basicConstraints, true, derSequence(...parts));
export const keyUsage = (...bits: number[]): Buffer => extension(OID.keyUsage, true, derNamedBits(...bits));
export const extendedKeyUsage = (critical: boolean, ...oids: string[]): Buffer =>
  extension(OID.extendedKeyUsage, critical, derSequence(...oids.map(derOid)));

export const CA = [basicConstraints(derTrue()), keyUsage(5, 6)];
export const TSA = [keyUsage(0), extendedKeyUsage(true, OID.timeStamping)];

/** A certificate with its key; self-signed without an issuer. */
export function party(options: PartyOptions = {}): Party {
  const keys = options.keys ?? generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = distinguishedName(options.name ?? "authority");
  const issuerName = options.issuerName === undefined ? undefined : distinguishedName(options.issuerName);
  const bytes = buildCertificate({
    issuer: issuerName ?? options.issuer?.certificate.subject ?? subject,
    subject,
    from: options.from ?? NOW,
    years: options.years ?? 1,
    publicKey: keys.publicKey,
    signingKey: options.issuer?.key ?? keys.privateKey,
    extensions: options.extensions ?? TSA,
  });
  return { key: keys.privateKey, certificate: parseCertificate(bytes), pem: certificatePem(bytes) };
}

export const root = (options: PartyOptions = {}): Party => party({ name: "root", extensions: CA, ...options });

export interface InfoOptions {
  readonly version?: number;
  readonly policy?: string;
  readonly algorithm?: Buffer;
  readonly imprint?: Buffer;
  readonly genTime?: Date;
  /** Everything from accuracy on. */
  readonly rest?: readonly Buffer[];
}

export const IMPRINT = createHash("sha256").update("evidence").digest();
export const POLICY = "1.2.3.4";
export const NONCE = 0x1122334455667788n;
export const SHA256 = derSequence(derOid(OID.sha256));

/** A TSTInfo (RFC 3161 §2.4.2). */
export function tstInfo(options: InfoOptions = {}): Buffer {
  return derSequence(
    derInteger(options.version ?? 1),
    derOid(options.policy ?? POLICY),
    derSequence(options.algorithm ?? derSequence(derOid(OID.sha256), derNull()), derOctets(options.imprint ?? IMPRINT)),
    derInteger(0xabcdef),
    derTime(options.genTime ?? NOW),
    ...(options.rest ?? [derInteger(NONCE)]),
  );
}

export interface TokenOptions {
  readonly content?: Buffer;
  readonly certificates?: readonly Buffer[];
  readonly contentType?: string;
  readonly outerType?: string;
  readonly version?: number;
  readonly signerVersion?: number;
  readonly digest?: { readonly name: string; readonly algorithm: Buffer };
  readonly announced?: readonly Buffer[];
  readonly attributes?: (right: readonly Buffer[]) => readonly Buffer[];
  readonly withoutAttributes?: boolean;
  readonly signatureAlgorithm?: Buffer;
  /** What is put between certificates and signers. */
  readonly before?: readonly Buffer[];
  /** What is put after the signature. */
  readonly after?: readonly Buffer[];
  /** How many times the signer stands in the set. */
  readonly signers?: number;
}

export const attribute = (oid: string, ...values: Buffer[]): Buffer => derSequence(derOid(oid), derSet(...values));

/** ESSCertIDv2 (RFC 5035 §4) with the default algorithm. */
export const certificateId = ({ der: bytes }: Certificate): Buffer =>
  derSequence(derOctets(createHash("sha256").update(bytes).digest()));

export const signingCertificate = (...ids: Buffer[]): Buffer =>
  attribute(OID.signingCertificateV2, derSequence(derSequence(...ids)));

/** A timestamp token (RFC 5652 §5), signed rightly over whatever it holds. */
export function token(signer: Party, options: TokenOptions = {}): Buffer {
  const { certificate } = signer;
  const content = options.content ?? tstInfo();
  const digest = options.digest ?? { name: "sha256", algorithm: SHA256 };
  const right = [
    attribute(OID.contentType, derOid(OID.tstInfo)),
    attribute(OID.messageDigest, derOctets(createHash(digest.name).update(content).digest())),
    signingCertificate(certificateId(certificate)),
  ];
  const attributes = derSet(...(options.attributes?.(right) ?? right));
  const info = derSequence(
    derInteger(options.signerVersion ?? 1),
    derSequence(certificate.issuer, derInteger(certificate.serial)),
    digest.algorithm,
    options.withoutAttributes ? Buffer.of() : Buffer.concat([Buffer.of(contextConstructed(0)), attributes.subarray(1)]),
    options.signatureAlgorithm ?? derSequence(derOid(OID.ecdsaWithSha256)),
    derOctets(sign(digest.name, attributes, signer.key)),
    ...(options.after ?? []),
  );
  const data = derSequence(
    derInteger(options.version ?? 3),
    derSet(...(options.announced ?? [digest.algorithm])),
    derSequence(derOid(options.contentType ?? OID.tstInfo), der(contextConstructed(0), derOctets(content))),
    der(contextConstructed(0), ...(options.certificates ?? [certificate.der])),
    ...(options.before ?? []),
    derSet(...Array.from({ length: options.signers ?? 1 }, () => info)),
  );
  return derSequence(derOid(options.outerType ?? OID.signedData), der(contextConstructed(0), data));
}
